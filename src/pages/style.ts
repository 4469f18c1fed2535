/** The look of all pages: light and dark as the reader has it, narrow screens, print. No style attributes: the policy forbids them. */

const COLOURS = {
  light: ['#005f9e', '#b84a00', '#00724f', '#9b3d78', '#7a5a00', '#2b6cb0', '#444444', '#7d2ae8'],
  dark: ['#6cb8f0', '#f59a5b', '#4fc9a0', '#e59ac5', '#e3bd4f', '#9ecbff', '#d0d0d0', '#c3a1ff'],
} as const;

/** The ink of each line style of a chart: --s0, --s1, ... */
const inks = (colours: readonly string[]) => colours.map((colour, i) => `--s${i}:${colour}`).join(';');

const THEME = `
:root{color-scheme:light dark;--page:#f7f7f5;--paper:#fff;--text:#1c1917;--soft:#57534e;--rule:#dcd9d5;--strong:#0b4f6c;--wash:#e9f1f5;--warn:#b45309;--good:#1a7f4b;--bad:#b3261e;--unsure:#8a5300;${inks(COLOURS.light)}}
@media (prefers-color-scheme:dark){:root{--page:#141414;--paper:#1e1d1c;--text:#f0eeec;--soft:#b5afa9;--rule:#3d3935;--strong:#8fd0ee;--wash:#18303b;--warn:#f59a5b;--good:#5fd39a;--bad:#ff8a80;--unsure:#f0b45c;${inks(COLOURS.dark)}}}
`;

const TEXT = `
*{box-sizing:border-box}
html{scroll-behavior:smooth;scroll-padding-top:4rem}
body{margin:0;font:1rem/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;color:var(--text);background:var(--page)}
h1{font-size:1.8rem;line-height:1.2;margin:0 0 .5rem;overflow-wrap:anywhere;letter-spacing:-.01em}
h2{font-size:1.35rem;line-height:1.25;margin:0 0 .6rem;overflow-wrap:anywhere;letter-spacing:-.005em}
h3{font-size:1.05rem;margin:1.8rem 0 .5rem;overflow-wrap:anywhere}
p{max-width:46rem;margin:.5rem 0}
a{color:var(--strong)}
:focus-visible{outline:3px solid var(--strong);outline-offset:2px;border-radius:3px}
.skip{position:absolute;left:-99rem}.skip:focus{left:1rem;top:.5rem;background:var(--paper);padding:.4rem .8rem;z-index:3}
.hidden{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
.soft{color:var(--soft)}
`;

const SHELL = `
.top{position:sticky;top:0;z-index:2;background:var(--paper);border-bottom:1px solid var(--rule)}
.bar{display:flex;align-items:center;gap:.2rem 1.2rem;max-width:80rem;margin:0 auto;padding:0 1.25rem;min-height:2.9rem}
.brand{margin:0;white-space:nowrap;color:var(--soft);font-size:.92rem}.brand b{color:var(--strong);font-size:1.05rem;margin-right:.55rem;letter-spacing:.02em}
.top nav{min-width:0;overflow-x:auto;scrollbar-width:thin}
.top ul{list-style:none;display:flex;gap:.1rem;padding:.15rem;margin:0}
.top a{display:block;padding:.3rem .6rem;border-radius:6px;white-space:nowrap;text-decoration:none;font-size:.92rem}.top a:hover{background:var(--wash)}
.top a:focus-visible{outline-offset:-2px}
main>.head,main>section,footer{max-width:80rem;margin:0 auto;padding:0 1.25rem}
main>.head{padding-top:1.8rem;padding-bottom:.4rem}
main>section{padding-top:2.2rem}
footer{color:var(--soft);padding-top:2.5rem;padding-bottom:2rem;font-size:.9rem}
main>.screen{min-height:calc(100vh - 2.9rem);padding-top:1.6rem;padding-bottom:1.6rem}
.screen+.screen{border-top:1px solid var(--rule)}
.screen h2{font-size:1.6rem}.screen .answer{font-size:1.1rem;max-width:60rem}
.screen>.chart{max-width:none;width:min(100%,64rem)}
.screen>.chart>svg{max-height:calc(100vh - 24.5rem);min-height:13rem;font-size:9.5px}
`;

const PARTS = `
.warning{border-left:4px solid var(--warn);padding:.4rem .9rem;background:var(--paper);border-radius:0 6px 6px 0}
dl.facts{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1.2rem;margin:1rem 0}dl.facts dt{color:var(--soft)}dl.facts dd{margin:0;overflow-wrap:anywhere}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,11rem),1fr));gap:.8rem;margin:1.2rem 0}
.tiles div{display:flex;flex-direction:column-reverse;justify-content:flex-end;background:var(--paper);border:1px solid var(--rule);border-radius:8px;padding:.7rem .9rem}
.tiles dd{margin:0;font-size:1.5rem;line-height:1.25;font-weight:700;font-variant-numeric:tabular-nums;letter-spacing:-.01em;overflow-wrap:anywhere}.tiles dt{font-size:.86rem;line-height:1.35;color:var(--soft)}
details{margin:.5rem 0}summary{cursor:pointer;color:var(--soft)}summary:hover{color:var(--text)}
pre{overflow-x:auto;background:var(--paper);border:1px solid var(--rule);border-radius:6px;padding:.8rem;font-size:.85rem;white-space:pre-wrap;overflow-wrap:anywhere;margin:.6rem 0}
.command{position:relative}.command pre{padding-right:5rem}.command .tools{position:absolute;right:.5rem;top:.45rem;margin:0}
.tools{display:flex;flex-wrap:wrap;gap:.5rem 1rem;align-items:center;margin:.8rem 0}
select,input[type=range],button.plain{font:inherit;color:inherit}select,button.plain{background:var(--paper);border:1px solid var(--rule);border-radius:6px;padding:.3rem .6rem;max-width:100%}
button.plain{cursor:pointer;font-size:.88rem}button.plain:hover{background:var(--wash)}
input[type=range]{width:min(24rem,100%);accent-color:var(--strong)}
`;

const TABLES = `
.scroll{position:relative;overflow-x:auto;margin:.8rem 0;border:1px solid var(--rule);border-radius:6px;background:var(--paper)}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:.4rem .7rem;text-align:right;vertical-align:top;border-bottom:1px solid var(--rule)}
tbody tr:last-child>*{border-bottom:0}
tbody tr:hover>*{background:var(--wash)}
thead th{vertical-align:bottom;font-weight:600;line-height:1.25}
th:first-child,.text{text-align:left}
.sortable th:first-child{position:sticky;left:0;background:var(--paper);z-index:1}.sortable tbody tr:hover th{background:var(--wash)}
tbody th{font-weight:500;text-align:left;white-space:nowrap}
td strong{color:var(--strong);font-weight:750}
.interval{display:block;font-size:.78rem;color:var(--soft);white-space:nowrap}
th button{font:inherit;color:inherit;background:none;border:0;padding:0;cursor:pointer;text-align:inherit;text-decoration:underline dotted;text-underline-offset:3px}
th[aria-sort=ascending] button::after{content:" \\2191"}th[aria-sort=descending] button::after{content:" \\2193"}
`;

const CHARTS = `
.charts{display:grid;align-items:start;grid-template-columns:repeat(auto-fit,minmax(min(100%,25rem),1fr));gap:1.2rem;margin:1rem 0}
figure{margin:0}
.chart{background:var(--paper);border:1px solid var(--rule);border-radius:8px;padding:.9rem;min-width:0;max-width:48rem}
.chart figcaption{font-weight:600;line-height:1.3;margin-bottom:.4rem}.chart .unit{display:block;font-weight:400;font-size:.86rem;color:var(--soft)}
.chart svg{color:var(--soft);overflow:visible}.chart>svg{display:block;width:100%;height:auto;font-size:12px}
.key{list-style:none;display:flex;flex-wrap:wrap;gap:.1rem 1.2rem;padding:0;margin:.4rem 0;font-size:.88rem}.key svg{vertical-align:-1px;margin-right:.45rem}
.chart details{margin:.3rem 0 0;font-size:.9rem}
`;

const PICTURES = `
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,27rem),1fr));gap:1.2rem;padding:0;margin:1rem 0;list-style:none}
.card{background:var(--paper);border:1px solid var(--rule);border-radius:8px;padding:.9rem;min-width:0;break-inside:avoid}
.card h4,.card h3{margin:0 0 .5rem;font-size:.98rem;overflow-wrap:anywhere}
.row{margin-top:.7rem}.row:first-of-type{margin-top:0}
.row>p{margin:0 0 .25rem;font-size:.88rem;display:flex;flex-wrap:wrap;justify-content:space-between;gap:0 .8rem}
.row .name{font-weight:600;overflow-wrap:anywhere}
.thumbs{display:grid;grid-template-columns:repeat(4,minmax(0,1fr));gap:.4rem}
.thumbs.five{grid-template-columns:repeat(5,minmax(0,1fr))}
.thumbs img,.frames img{width:100%;height:auto;display:block;image-rendering:pixelated;background:#777;border-radius:4px}
.thumbs figcaption,.frames span{font-size:.76rem;color:var(--soft);line-height:1.3}
.sheet{background:var(--paper);border:1px solid var(--rule);border-radius:8px;padding:.6rem}.sheet img{width:100%;height:auto;display:block;image-rendering:pixelated;border-radius:4px}
.sheet figcaption{font-size:.86rem;color:var(--soft);margin-top:.4rem}
.frames{list-style:none;display:flex;flex-wrap:wrap;gap:.5rem;padding:0;margin:.2rem 0 0}
.frames li{width:8.5rem}.frames .pair{display:grid;grid-template-columns:1fr 1fr;gap:.2rem}
.live{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,15rem),1fr));gap:.3rem .8rem}.live>.tools,.live>h4{grid-column:1/-1}
.live .frames li{display:none;width:100%}.live .frames li.now{display:block}
button.enlarge{display:block;width:100%;border:0;padding:0;margin:0;background:none;cursor:zoom-in;font:inherit}
dialog.zoom{border:0;border-radius:10px;padding:.8rem;background:var(--paper);color:var(--text);max-width:96vw;max-height:96vh}
dialog.zoom::backdrop{background:#000b}
dialog.zoom figure{display:flex;flex-direction:column;gap:.5rem}
dialog.zoom img{width:min(90vw,78vh);height:min(90vw,76vh);object-fit:contain;display:block}dialog.zoom img.pixelated{image-rendering:pixelated}
dialog.zoom.wide img{width:92vw}
dialog.zoom figcaption{max-width:min(90vw,46rem);font-size:.92rem;overflow-wrap:anywhere}
dialog.zoom .tools{margin:0;justify-content:center}
`;

const MEDIA = `
@media (max-width:40rem){.bar,main>.head,main>section,footer{padding-left:.8rem;padding-right:.8rem}.brand span{display:none}main>.head{padding-top:1.2rem}h1{font-size:1.45rem}.screen h2{font-size:1.3rem}.screen .answer{font-size:1rem}.screen>.chart>svg{max-height:none;min-height:0;font-size:14px}th,td{padding:.35rem .5rem}.sortable th:first-child{position:static}dl.facts{grid-template-columns:1fr}dl.facts dd{margin-bottom:.3rem}.tiles{grid-template-columns:1fr 1fr}.tiles dd{font-size:1.2rem}.card,.chart{padding:.6rem}.chart>svg{font-size:14px}}
@media (prefers-reduced-motion:reduce){html{scroll-behavior:auto}}
@media print{:root{color-scheme:light;--page:#fff;--paper:#fff;--text:#000;--soft:#333;--rule:#999;--strong:#000;--wash:#fff;${inks(COLOURS.light)}}body{font-size:10pt}.skip,.top,.tools,.chart details{display:none}main>.screen{min-height:0}h2,h3,h4{break-after:avoid}.chart,tr,.row,.tiles div{break-inside:avoid}.scroll{overflow:visible}.scroll table{font-size:8pt}.scroll th,.scroll td{padding:.15rem .3rem}.live .frames li{display:block;width:6rem}.cards{grid-template-columns:1fr 1fr}}
`;

export const STYLE = [THEME, TEXT, SHELL, PARTS, TABLES, CHARTS, PICTURES, MEDIA].join('');
