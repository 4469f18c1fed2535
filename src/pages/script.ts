/**
 * What a page can do beyond being read: tables and pictures are sorted, pictures enlarged, commands copied, and a slider goes
 * through the steps of a search. It is written as text, since it runs in the reader's browser; without it all is there,
 * unsorted, every step beside the others.
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
for (const trajectory of all('.trajectory')) {
  const rows = all('.frames', trajectory).map((list) => [...list.children]);
  const last = Math.max(...rows.map((row) => row.length)) - 1;
  if (last < 1) continue;
  const label = document.createElement('label');
  label.textContent = 'Along the search: ';
  const range = document.createElement('input');
  Object.assign(range, { type: 'range', min: 0, max: last, step: 1, value: last });
  label.append(range);
  const shown = document.createElement('output');
  const tools = document.createElement('div');
  tools.className = 'tools';
  tools.append(label, shown);
  trajectory.querySelector('h4').after(tools);
  trajectory.classList.add('live');
  const show = () => {
    const at = Number(range.value);
    for (const row of rows) row.forEach((frame, i) => frame.classList.toggle('now', i === Math.min(at, row.length - 1)));
    shown.textContent = 'picture ' + (at + 1) + ' of ' + (last + 1);
    range.setAttribute('aria-valuetext', shown.textContent);
  };
  range.addEventListener('input', show);
  show();
}
const buttonOf = (text, className) => {
  const button = document.createElement('button');
  Object.assign(button, { type: 'button', className: className || 'plain', textContent: text });
  return button;
};
for (const block of all('.command')) {
  const button = buttonOf('Copy');
  const status = document.createElement('span');
  status.className = 'hidden';
  status.setAttribute('role', 'status');
  const tools = document.createElement('div');
  tools.className = 'tools';
  tools.append(button, status);
  block.append(tools);
  button.addEventListener('click', async () => {
    const text = block.querySelector('pre');
    try {
      await navigator.clipboard.writeText(text.textContent);
      button.textContent = status.textContent = 'Copied';
    } catch {
      getSelection().selectAllChildren(text);
      button.textContent = status.textContent = 'Selected';
    }
    setTimeout(() => { button.textContent = 'Copy'; }, 2000);
  });
}
const pictures = all('main figure:not(.chart) img, main .frames img, main .film img');
if (pictures.length > 0 && typeof HTMLDialogElement === 'function') {
  const dialog = document.createElement('dialog');
  dialog.className = 'zoom';
  dialog.setAttribute('aria-label', 'Enlarged picture');
  const figure = document.createElement('figure');
  const large = document.createElement('img');
  const caption = document.createElement('figcaption');
  caption.setAttribute('aria-live', 'polite');
  const tools = document.createElement('div');
  tools.className = 'tools';
  const [back, next, close] = ['Previous', 'Next', 'Close'].map((text) => buttonOf(text));
  tools.append(back, next, close);
  figure.append(large, caption, tools);
  dialog.append(figure);
  let group = [];
  let at = 0;
  const show = (index) => {
    at = (index + group.length) % group.length;
    const image = group[at].querySelector('img');
    large.src = image.src;
    large.alt = image.alt;
    large.className = getComputedStyle(image).imageRendering === 'pixelated' ? 'pixelated' : '';
    dialog.classList.toggle('wide', image.naturalWidth > 1.3 * image.naturalHeight);
    caption.textContent = image.alt + (group.length > 1 ? ' (' + (at + 1) + ' of ' + group.length + ')' : '');
  };
  back.addEventListener('click', () => show(at - 1));
  next.addEventListener('click', () => show(at + 1));
  close.addEventListener('click', () => dialog.close());
  dialog.addEventListener('click', (event) => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener('keydown', ({ key }) => {
    if (key === 'ArrowLeft') show(at - 1);
    if (key === 'ArrowRight') show(at + 1);
  });
  for (const image of pictures) {
    const button = buttonOf('', 'enlarge');
    button.setAttribute('aria-label', 'Enlarge: ' + image.alt);
    button.setAttribute('aria-haspopup', 'dialog');
    image.replaceWith(button);
    button.append(image);
    button.addEventListener('click', () => {
      // The pictures beside it that can be seen: a slider may hide some.
      const place = button.closest('.card, .film') || button.parentNode;
      group = all('button.enlarge', place).filter((one) => one.offsetParent !== null);
      if (!dialog.isConnected) document.body.append(dialog);
      show(group.indexOf(button));
      back.hidden = next.hidden = group.length < 2;
      dialog.showModal();
      close.focus();
    });
  }
}
`;
