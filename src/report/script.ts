/**
 * What the page can do beyond being read: tables and pictures are sorted, a slider goes through the steps of a search. It is
 * written as text, since it runs in the reader's browser; without it all is there, unsorted, every step beside the others.
 */
export const SCRIPT = `'use strict';
const all = (selector, root) => [...(root || document).querySelectorAll(selector)];
const number = (cell) => {
  const value = cell.dataset.value;
  return value === undefined || value === '' ? NaN : Number(value);
};
for (const table of all('table.sortable')) {
  const body = table.tBodies[0];
  all('thead th', table).forEach((head, column) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener('click', () => {
      const falling = head.getAttribute('aria-sort') !== 'descending';
      all('thead th', table).forEach((other) => other.removeAttribute('aria-sort'));
      head.setAttribute('aria-sort', falling ? 'descending' : 'ascending');
      const rows = [...body.rows];
      rows.sort((a, b) => {
        const [x, y] = [a.cells[column], b.cells[column]];
        const [p, q] = [number(x), number(y)];
        const order = Number.isNaN(p) && Number.isNaN(q)
          ? x.textContent.localeCompare(y.textContent)
          : Number.isNaN(p) ? -Infinity : Number.isNaN(q) ? Infinity : p - q;
        return falling ? -order : order;
      });
      body.append(...rows);
    });
  });
}
for (const list of all('.cards[data-sorts]')) {
  const cards = all('.card', list);
  const sorts = JSON.parse(list.dataset.sorts);
  const label = document.createElement('label');
  label.textContent = 'Order of the pictures: ';
  const select = document.createElement('select');
  const choices = [{ name: list.dataset.order || 'as in the set' }];
  for (const { key, name } of sorts) choices.push({ key, sign: 1, name: name + ', lowest first' }, { key, sign: -1, name: name + ', highest first' });
  choices.forEach((choice, i) => select.add(new Option(choice.name, String(i))));
  label.append(select);
  const tools = document.createElement('div');
  tools.className = 'tools';
  tools.append(label);
  list.before(tools);
  const scoreOf = (card, key) => {
    const value = JSON.parse(card.dataset.scores)[key];
    return typeof value === 'number' ? value : Infinity;
  };
  select.addEventListener('change', () => {
    const { key, sign } = choices[Number(select.value)];
    const order = key === undefined ? cards : [...cards].sort((a, b) => sign * (scoreOf(a, key) - scoreOf(b, key)) || 0);
    list.append(...order);
  });
}
for (const way of all('.way')) {
  const rows = all('.frames', way).map((list) => [...list.children]);
  const last = Math.max(...rows.map((row) => row.length)) - 1;
  if (last < 1) continue;
  const label = document.createElement('label');
  label.textContent = 'Along the search: ';
  const range = document.createElement('input');
  Object.assign(range, { type: 'range', min: 0, max: last, step: 1, value: last });
  label.append(range);
  const told = document.createElement('output');
  const tools = document.createElement('div');
  tools.className = 'tools';
  tools.append(label, told);
  way.prepend(tools);
  way.classList.add('live');
  const show = () => {
    const at = Number(range.value);
    for (const row of rows) row.forEach((frame, i) => frame.classList.toggle('now', i === Math.min(at, row.length - 1)));
    told.textContent = 'picture ' + (at + 1) + ' of ' + (last + 1);
    range.setAttribute('aria-valuetext', told.textContent);
  };
  range.addEventListener('input', show);
  show();
}
`;
