/** The demo page's look beyond that of all pages: a dark band of large pictures, then cards. */

/** Where the slanting cut between "given" and "restored" runs, `slide` of the width further to the right. */
const cut = (slide: number, edge = 0) => `polygon(${58 + slide + edge}% 0,200% 0,200% 100%,${42 + slide + edge}% 100%)`;

export const DEMO_STYLE = `
:root{--band:#0d1b24;--band-soft:#a9c0cc;--accent:#7fd1f0}
.stage{background:radial-gradient(120% 90% at 15% 0,#1d4255 0,transparent 60%),radial-gradient(90% 80% at 95% 20%,#3a2a52 0,transparent 55%),var(--band);color:#f4f8fa;padding:2.6rem 0 2.2rem}
.stage .inner{max-width:80rem;margin:0 auto;padding:0 1.25rem}
.stage h1{font-size:clamp(1.75rem,4.6vw,3.1rem);line-height:1.08;letter-spacing:-.02em;margin:.5rem 0 .8rem;max-width:22ch;text-wrap:balance}
.stage .lead{font-size:1.08rem;color:var(--band-soft);max-width:44rem;margin:0 0 1.8rem}
.heroes{list-style:none;display:grid;grid-template-columns:repeat(5,minmax(0,1fr));gap:1rem;margin:0;padding:0}
.split{position:relative;display:block;aspect-ratio:1;overflow:hidden;border-radius:14px;background:#fff;box-shadow:0 8px 28px #0007}
.split img{position:absolute;inset:0;width:100%;height:100%;display:block}
.split .seam,.split .mended{position:absolute;inset:0;transition:clip-path .6s cubic-bezier(.6,0,.2,1);animation:wipe 1.6s cubic-bezier(.6,0,.2,1) .5s backwards}
.split .seam{background:#fff;clip-path:${cut(0, -1.2)}}.split .mended{clip-path:${cut(0)}}
.split.early .seam{clip-path:${cut(-34, -1.2)}}.split.early .mended{clip-path:${cut(-34)}}
.split:hover .mended,.split:focus .mended,.split:hover .seam,.split:focus .seam{clip-path:${cut(-62)}}
.split:focus-visible{outline:3px solid var(--accent);outline-offset:3px}
@keyframes wipe{from{clip-path:${cut(62)}}}
.heroes li>span{display:flex;justify-content:space-between;font-size:.78rem;color:var(--band-soft);margin-top:.45rem}
.numbers{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,11rem),1fr));gap:1rem 1.6rem;margin:2rem 0 0}
.numbers div{border-left:3px solid var(--accent);padding-left:.9rem}
.numbers dt{font-size:.85rem;color:var(--band-soft);line-height:1.35}.numbers dd{margin:0;font-size:1.6rem;font-weight:700;letter-spacing:-.02em;font-variant-numeric:tabular-nums;white-space:nowrap}
.numbers div{display:flex;flex-direction:column-reverse;justify-content:flex-end}
main>section>h2{font-size:1.55rem}
.intro{color:var(--soft);max-width:46rem}
.pieces{list-style:none;display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,17.5rem),1fr));gap:1.3rem;padding:0;margin:1.4rem 0}
.piece{background:var(--paper);border:1px solid var(--rule);border-radius:14px;padding:1rem;min-width:0;break-inside:avoid}
.piece h3{margin:0 0 .6rem;font-size:1rem;display:flex;justify-content:space-between;align-items:center;gap:.5rem}
.piece figcaption{font-size:.76rem;color:var(--soft);margin-top:.2rem;text-align:center}
.piece img,.film img{width:100%;height:auto;aspect-ratio:1;display:block;border-radius:8px;background:#777}
.pair,.trio{display:grid;gap:.5rem}.pair{grid-template-columns:1fr 1fr;position:relative}.trio{grid-template-columns:repeat(3,1fr);margin-top:.6rem}
.pair::after{content:"";position:absolute;left:50%;top:calc(50% - .6rem);width:1.9rem;height:1.9rem;transform:translate(-50%,-50%);border-radius:50%;border:2px solid var(--paper);background:var(--strong) url("data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24' fill='none' stroke='%23fff' stroke-width='3' stroke-linecap='round' stroke-linejoin='round'%3E%3Cpath d='M5 12h14M13 6l6 6-6 6'/%3E%3C/svg%3E") center/60% no-repeat}
@media (prefers-color-scheme:dark){.pair::after{background-color:#1f6d8f}}
.numbersline{margin:.7rem 0 0;font-size:.86rem;color:var(--soft);display:flex;flex-wrap:wrap;justify-content:space-between;gap:0 .6rem;font-variant-numeric:tabular-nums}.numbersline span{white-space:nowrap}.numbersline b{color:var(--text);font-weight:650}
.verdict{font-size:.78rem;font-weight:700;padding:.12rem .6rem;border-radius:99px;border:1.5px solid;white-space:nowrap}.verdict.good{color:var(--good)}.verdict.bad{color:var(--bad)}.verdict.unsure{color:var(--unsure)}
.wrong{color:var(--bad);font-weight:650}
.film{list-style:none;display:grid;grid-auto-flow:column;grid-auto-columns:minmax(7rem,1fr);gap:.7rem;overflow-x:auto;padding:.3rem .2rem .8rem;margin:1rem 0}
.film li>*+:not(span){margin-top:.4rem}.film span{display:block;font-size:.78rem;color:var(--soft);text-align:center;margin-top:.3rem}
.film:focus-visible{outline:3px solid var(--strong);outline-offset:2px}
.scale{display:flex;align-items:center;gap:.7rem;font-size:.85rem;color:var(--soft);margin:.4rem 0}.scale img{width:min(16rem,45vw);height:.8rem;border-radius:4px;display:block}
.pixels img,img.pixels{image-rendering:pixelated}
@media (max-width:56rem){.heroes{grid-template-columns:repeat(6,minmax(0,1fr));gap:.8rem}.heroes li{grid-column:span 2}.heroes li:nth-child(4),.heroes li:nth-child(5){grid-column:span 3}}
@media (max-width:40rem){.stage{padding:1.4rem 0 1.6rem}.heroes{grid-template-columns:1fr 1fr}.heroes li{grid-column:auto!important}.heroes li:first-child{grid-column:span 2!important}.numbers{grid-template-columns:1fr 1fr}.numbers dd{font-size:1.3rem}.piece{padding:.8rem}}
@media (prefers-reduced-motion:reduce){.split .seam,.split .mended{animation:none;transition:none}}
@media print{.stage{background:none;color:#000;padding:0}.stage .lead,.numbers dt,.heroes li>span{color:#333}}
`;
