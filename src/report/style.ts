/** The page's look: light and dark as the reader has it, narrow screens, print. No style attributes: the policy forbids them. */

const COLOURS = {
  light: ['#005f9e', '#b84a00', '#00724f', '#9b3d78', '#7a5a00', '#2b6cb0', '#444444', '#7d2ae8'],
  dark: ['#6cb8f0', '#f59a5b', '#4fc9a0', '#e59ac5', '#e3bd4f', '#9ecbff', '#d0d0d0', '#c3a1ff'],
} as const;

const series = (colours: readonly string[]) => colours.map((colour, i) => `.s${i}{--ink:${colour}}`).join('');

export const STYLE = `:root{color-scheme:light dark;--page:#fafaf9;--paper:#fff;--text:#1c1917;--soft:#57534e;--rule:#d6d3d1;--strong:#0b4f6c;--mark:#eef6fa}
${series(COLOURS.light)}
@media (prefers-color-scheme:dark){:root{--page:#161514;--paper:#201e1c;--text:#f0eeec;--soft:#b5afa9;--rule:#45403c;--strong:#8fd0ee;--mark:#14303c}${series(COLOURS.dark)}}
*{box-sizing:border-box}
html{scroll-behavior:smooth}
body{margin:0;font:1rem/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;color:var(--text);background:var(--page)}
header,main,footer,nav{max-width:80rem;margin:0 auto;padding:0 1.25rem}
h1{font-size:1.7rem;line-height:1.2;margin:2rem 0 .5rem;overflow-wrap:anywhere}
h2{font-size:1.3rem;margin:3rem 0 .6rem;padding-top:.6rem;border-top:1px solid var(--rule);overflow-wrap:anywhere}
h3{font-size:1.05rem;margin:1.8rem 0 .5rem;overflow-wrap:anywhere}
p{max-width:46rem;margin:.5rem 0}
a{color:var(--strong)}
a:focus-visible,button:focus-visible,select:focus-visible,input:focus-visible,summary:focus-visible,.scroll:focus-visible{outline:3px solid var(--strong);outline-offset:2px}
.skip{position:absolute;left:-99rem}.skip:focus{left:1rem;top:.5rem;background:var(--paper);padding:.4rem .8rem;z-index:2}
.hidden{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
.soft{color:var(--soft)}
.warning{border-left:4px solid #b45309;padding:.3rem .8rem;background:var(--paper)}
dl.facts{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1.2rem;margin:1rem 0}dl.facts dt{color:var(--soft)}dl.facts dd{margin:0;overflow-wrap:anywhere}
nav ul{list-style:none;display:flex;flex-wrap:wrap;gap:.2rem 1.1rem;padding:0;margin:.8rem 0}
.scroll{position:relative;overflow-x:auto;margin:.8rem 0;border:1px solid var(--rule);border-radius:6px;background:var(--paper)}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:.4rem .7rem;text-align:right;vertical-align:top;border-bottom:1px solid var(--rule)}
tbody tr:last-child>*{border-bottom:0}
thead th{vertical-align:bottom;font-weight:600;line-height:1.25}
th:first-child,.text{text-align:left}
.sortable th:first-child{position:sticky;left:0;background:var(--paper);z-index:1}
tbody th{font-weight:500;text-align:left;white-space:nowrap}
td strong{color:var(--strong);font-weight:750}
.interval{display:block;font-size:.78rem;color:var(--soft);white-space:nowrap}
th button{font:inherit;color:inherit;background:none;border:0;padding:0;cursor:pointer;text-align:inherit;text-decoration:underline dotted;text-underline-offset:3px}
th[aria-sort=ascending] button::after{content:" \\2191"}th[aria-sort=descending] button::after{content:" \\2193"}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,24rem),1fr));gap:1.2rem;margin:1rem 0}
figure{margin:0}
.chart{background:var(--paper);border:1px solid var(--rule);border-radius:6px;padding:.8rem;min-width:0;max-width:44rem}
.chart figcaption{font-weight:600;margin-bottom:.4rem}
.chart svg:not([aria-hidden]){width:100%;height:auto;display:block}
.chart text{font-size:12.5px;fill:var(--soft)}
.grid{stroke:var(--rule)}.reference{stroke:var(--text);stroke-dasharray:3 3}
.band{fill:var(--ink);opacity:.14}.line{fill:none;stroke:var(--ink);stroke-width:2}.mark{fill:var(--ink);stroke:var(--ink);stroke-width:1.4}.mark.open{fill:var(--paper)}
.key{list-style:none;display:flex;flex-wrap:wrap;gap:.1rem 1.2rem;padding:0;margin:.4rem 0;font-size:.88rem}.key svg{vertical-align:-1px;margin-right:.45rem}
details{margin:.5rem 0}summary{cursor:pointer;color:var(--soft)}
.tools{display:flex;flex-wrap:wrap;gap:.5rem 1rem;align-items:center;margin:.8rem 0}
select,button.plain,input[type=range]{font:inherit;color:inherit}select{background:var(--paper);border:1px solid var(--rule);border-radius:6px;padding:.3rem .5rem;max-width:100%}
input[type=range]{width:min(24rem,100%);accent-color:var(--strong)}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,27rem),1fr));gap:1.2rem;padding:0;margin:1rem 0;list-style:none}
.card{background:var(--paper);border:1px solid var(--rule);border-radius:6px;padding:.9rem;min-width:0;break-inside:avoid}
.card h4{margin:0 0 .5rem;font-size:.95rem;overflow-wrap:anywhere}
.row{margin-top:.7rem}.row:first-of-type{margin-top:0}
.row>p{margin:0 0 .25rem;font-size:.88rem;display:flex;flex-wrap:wrap;justify-content:space-between;gap:0 .8rem}
.row .name{font-weight:600;overflow-wrap:anywhere}
.thumbs{display:grid;grid-template-columns:repeat(4,minmax(0,1fr));gap:.4rem}
.thumbs.five{grid-template-columns:repeat(5,minmax(0,1fr))}
.thumbs img,.frames img{width:100%;height:auto;display:block;image-rendering:pixelated;background:#777;border-radius:3px}
.thumbs figcaption,.frames span{font-size:.74rem;color:var(--soft);line-height:1.3}
.frames{list-style:none;display:flex;flex-wrap:wrap;gap:.5rem;padding:0;margin:.2rem 0 0}
.frames li{width:8.5rem}.frames .pair{display:grid;grid-template-columns:1fr 1fr;gap:.2rem}
.live{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,15rem),1fr));gap:.3rem .8rem}.live>.tools,.live>h4{grid-column:1/-1}
.live .frames li{display:none;width:100%}.live .frames li.now{display:block}
pre{overflow-x:auto;background:var(--paper);border:1px solid var(--rule);border-radius:6px;padding:.8rem;font-size:.85rem;white-space:pre-wrap;overflow-wrap:anywhere}
footer{color:var(--soft);padding-top:2rem;padding-bottom:2rem;font-size:.9rem}
@media (max-width:40rem){header,main,footer,nav{padding:0 .8rem}h1{font-size:1.4rem}th,td{padding:.35rem .5rem}dl.facts{grid-template-columns:1fr}dl.facts dd{margin-bottom:.3rem}.card{padding:.6rem}}
@media (prefers-reduced-motion:reduce){html{scroll-behavior:auto}}
@media print{:root{color-scheme:light;--page:#fff;--paper:#fff;--text:#000;--soft:#333;--rule:#999;--strong:#000}${series(COLOURS.light)}body{font-size:10pt}.skip,nav,.tools,.chart details{display:none}h2,h3,h4{break-after:avoid}.chart,tr,.row{break-inside:avoid}.scroll{overflow:visible}.scroll table{font-size:8pt}.scroll th,.scroll td{padding:.15rem .3rem}.live .frames li{display:block;width:6rem}.cards{grid-template-columns:1fr 1fr}}
`;
