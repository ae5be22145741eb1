/// How the pages look: light and dark as the system is, on wide windows and phones.
package enum PageStyle {
    package static let css = """
        :root{--back:#fff;--card:#f6f7f9;--text:#1f2328;--quiet:#57606a;--line:#d8dde3;--grid:#e8eaed;--link:#0550ae;
        --c0:#0072b2;--c1:#c24e00;--c2:#00805d;--c3:#a8478a;--c4:#2a7fb8;--c5:#8a6100;--c6:#5f6670;--good:#0072b2;--bad:#d55e00}
        @media(prefers-color-scheme:dark){:root{--back:#0f1419;--card:#171d24;--text:#e3e7ec;--quiet:#9aa5b1;--line:#2c353f;
        --grid:#222a33;--link:#79b8ff;--c0:#56b4e9;--c1:#ff8a4c;--c2:#2fc79a;--c3:#e08fc4;--c4:#8cc8f0;--c5:#e6b422;--c6:#9aa5b1;
        --good:#2f8fd0;--bad:#e06c1f}}
        *{box-sizing:border-box}
        body{margin:0 auto;max-width:64rem;padding:1.2rem 1rem 4rem;background:var(--back);color:var(--text);
        font:16px/1.5 system-ui,-apple-system,"Segoe UI","DejaVu Sans",sans-serif;overflow-wrap:anywhere}
        h1{font-size:1.5rem;line-height:1.25;margin:.2rem 0}h2{font-size:1.15rem;margin:2.2rem 0 .6rem}
        a{color:var(--link)}p{margin:.4rem 0}.quiet{color:var(--quiet)}
        code,pre{font:13px/1.45 ui-monospace,"DejaVu Sans Mono",monospace}
        pre{background:var(--card);border:1px solid var(--line);border-radius:6px;padding:.7rem;overflow:auto;max-height:32rem;
        white-space:pre-wrap}
        .state{display:inline-block;border:1px solid var(--line);border-radius:1rem;padding:0 .7rem;font-size:.85rem}
        .state.finished{border-color:var(--c2);color:var(--c2)}.state.running{border-color:var(--c0);color:var(--c0)}
        .state.failed{border-color:var(--bad);color:var(--bad)}
        .facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(9rem,1fr));gap:.6rem;margin:1rem 0}
        .facts div{background:var(--card);border:1px solid var(--line);border-radius:6px;padding:.5rem .7rem}
        .facts b{display:block;font-size:1.15rem;font-variant-numeric:tabular-nums}.facts span{color:var(--quiet);font-size:.85rem}
        nav{margin:.8rem 0;display:flex;flex-wrap:wrap;gap:.2rem 1rem}
        .wide{overflow-x:auto;border:1px solid var(--line);border-radius:6px;max-height:40rem;overflow-y:auto}
        table{border-collapse:collapse;width:100%;font-size:.9rem;font-variant-numeric:tabular-nums}
        th,td{text-align:left;padding:.25rem .6rem;border-bottom:1px solid var(--grid);vertical-align:top}
        th{position:sticky;top:0;background:var(--card);white-space:nowrap}.n{text-align:right;white-space:nowrap}
        tbody tr:last-child td{border-bottom:0}
        .matrix table{width:auto}.matrix td{text-align:right;min-width:2.4rem}.matrix th{position:static}
        .matrix tbody th{text-align:right}
        .matrix td.g{background:color-mix(in srgb,var(--good) var(--p),var(--back))}
        .matrix td.b{background:color-mix(in srgb,var(--bad) var(--p),var(--back))}
        figure{margin:1rem 0}figcaption{font-weight:600}
        .chart{outline-offset:4px;touch-action:pan-y}.chart svg{display:block;width:100%;height:auto;overflow:visible}
        .chart text{fill:var(--quiet);font:12px system-ui,sans-serif}.chart .grid{stroke:var(--grid)}
        .chart .axis{stroke:var(--line)}.chart .cursor{stroke:var(--quiet);stroke-dasharray:3 3}
        .chart path{fill:none;stroke-width:1.8;stroke-linejoin:round}.legend{display:flex;flex-wrap:wrap;gap:.1rem 1rem;font-size:.9rem}
        .legend i{display:inline-block;width:1.1rem;height:.2rem;vertical-align:middle;margin-right:.35rem;border-radius:2px}
        output{display:block;min-height:1.4em;font-size:.9rem;color:var(--quiet);font-variant-numeric:tabular-nums}
        .pictures{display:grid;grid-template-columns:repeat(auto-fill,minmax(7rem,1fr));gap:.7rem}
        .pictures figure{margin:0;font-size:.8rem;line-height:1.3}.pictures img{width:96px;height:96px;object-fit:contain;
        image-rendering:pixelated;background:var(--card);border-radius:4px}.pictures figcaption{font-weight:400}
        summary{cursor:pointer;font-weight:600;margin:.8rem 0}
        button,select,input{font:inherit;color:inherit;background:var(--card);border:1px solid var(--line);border-radius:6px;
        padding:.15rem .6rem}
        :focus-visible{outline:2px solid var(--link)}
        @media(max-width:36rem){body{padding:.8rem .7rem 3rem}h1{font-size:1.25rem}}
        @media print{.wide,pre{max-height:none;overflow:visible}}
        """
}
