/// The script of the pages: it draws curves from the page's own data. Without it pages still show every number.
package enum PageScript {
    /// Draws the panels of the element `curves` into the elements `[data-panel]`. `annealCharts(panels)` draws others.
    package static let charts = #"""
        "use strict";
        const annealCharts = (() => {
          const NS = "http://www.w3.org/2000/svg";
          const make = (tag, attributes, text) => {
            const node = document.createElementNS(NS, tag);
            for (const name in attributes) node.setAttribute(name, attributes[name]);
            if (text !== undefined) node.textContent = text;
            return node;
          };
          const finite = value => typeof value === "number" && isFinite(value);
          const brief = value => !finite(value) ? "not a number" : value === 0 ? "0" :
            Number.isInteger(value) && Math.abs(value) < 1e9 ? value.toLocaleString("en-US") :
            Math.abs(value) >= 1e5 || Math.abs(value) < 1e-3 ? value.toExponential(2) : String(+value.toPrecision(4));
          const steps = (low, high, count) => {
            const raw = (high - low) / count || 1, unit = 10 ** Math.floor(Math.log10(raw));
            const step = [1, 2, 5, 10].map(factor => factor * unit).find(step => step >= raw) || raw;
            const result = [];
            for (let at = Math.ceil(low / step - 1e-9) * step; at <= high + step * 1e-6; at += step) result.push(+at.toPrecision(12));
            return result;
          };
          const powers = (low, high) => {
            const result = [];
            for (let at = Math.floor(Math.log10(low)); at <= Math.ceil(Math.log10(high)); at++)
              for (const factor of high / low > 300 ? [1] : [1, 2, 5]) {
                const value = factor * 10 ** at;
                if (value >= low * 0.999 && value <= high * 1.001) result.push(value);
              }
            return result.length > 1 ? result : [low, high];
          };
          const colour = index => `var(--C${index % 7})`;

          return function draw(host, panel) {
            const width = Math.max(280, Math.min(1024, host.clientWidth || 800)), height = panel.height || 220;
            const series = panel.series.filter(one => one.y.some(finite));
            const values = series.flatMap(one => one.y.filter(finite));
            const xs = series.flatMap(one => [one.x[0], one.x[one.x.length - 1]]);
            host.textContent = "";
            if (!values.length) { host.textContent = "nothing measured yet"; return; }
            let low = Infinity, high = -Infinity;
            for (const value of values) { if (value < low) low = value; if (value > high) high = value; }
            const log = panel.log && low > 0 && high / low >= panel.log;
            if (!log) {
              const pad = (high - low) * 0.06 || Math.abs(high) * 0.05 || 0.5;
              low = panel.floor !== undefined ? Math.max(panel.floor, low - pad) : low - pad;
              high = panel.ceiling !== undefined ? Math.min(panel.ceiling, high + pad) : high + pad;
            } else { low /= 1.1; high *= 1.1; }
            let left = Math.min(...xs), right = Math.max(...xs);
            if (left === right) { left -= 0.5; right += 0.5; }
            const box = {l: 54, r: width - 10, t: 8, b: height - 24};
            const X = value => box.l + (value - left) / (right - left) * (box.r - box.l);
            const Y = value => log ? box.b - Math.log(value / low) / Math.log(high / low) * (box.b - box.t)
                                   : box.b - (value - low) / (high - low) * (box.b - box.t);
            const svg = make("svg", {viewBox: `0 0 ${width} ${height}`, role: "img",
              "aria-label": `${panel.title}: ${series.map(one => `${one.name} ends at ${brief(one.y[one.y.length - 1])}`).join(", ")}`});
            for (const tick of log ? powers(low, high) : steps(low, high, 5)) {
              if (Y(tick) < box.t - 1 || Y(tick) > box.b + 1) continue;
              svg.append(make("line", {x1: box.l, x2: box.r, y1: Y(tick), y2: Y(tick), class: "grid"}),
                make("text", {x: box.l - 6, y: Y(tick) + 4, "text-anchor": "end"}, brief(tick)));
            }
            for (const tick of steps(left, right, Math.max(2, Math.floor(width / 110))).filter(Number.isInteger))
              svg.append(make("text", {x: X(tick), y: height - 6, "text-anchor": "middle"}, brief(tick)));
            svg.append(make("line", {x1: box.l, x2: box.r, y1: box.b, y2: box.b, class: "axis"}));
            series.forEach((one, index) => {
              let path = "", open = false, before = 0;
              one.x.forEach((x, place) => {
                const y = one.y[place];
                if (!finite(y) || log && y <= 0) { open = false; return; }
                const px = X(x).toFixed(1), py = Y(y).toFixed(1);
                path += !open ? `M${px} ${py}` : panel.step ? `L${px} ${before}L${px} ${py}` : `L${px} ${py}`;
                before = py;
                open = true;
              });
              const line = make("path", {d: path});
              line.style.stroke = colour(one.colour === undefined ? index : one.colour);
              if (one.dashed) line.setAttribute("stroke-dasharray", "5 4");
              svg.append(line);
              if (one.y.filter(finite).length === 1) {
                const at = one.y.findIndex(finite), dot = make("circle", {cx: X(one.x[at]), cy: Y(one.y[at]), r: 3});
                dot.style.fill = colour(one.colour === undefined ? index : one.colour);
                svg.append(dot);
              }
            });
            const cursor = make("line", {y1: box.t, y2: box.b, class: "cursor", visibility: "hidden"});
            svg.append(cursor);
            const readout = document.createElement("output"), legend = document.createElement("div");
            legend.className = "legend";
            series.forEach((one, index) => {
              const item = document.createElement("span"), mark = document.createElement("i");
              mark.style.background = colour(one.colour === undefined ? index : one.colour);
              item.append(mark, one.name);
              legend.append(item);
            });
            host.append(svg, legend, readout);
            host.tabIndex = 0;
            const grid = [...new Set(series.flatMap(one => one.x))].sort((a, b) => a - b);
            let at = -1;
            const show = index => {
              at = Math.max(0, Math.min(grid.length - 1, index));
              const x = grid[at];
              cursor.setAttribute("x1", X(x));
              cursor.setAttribute("x2", X(x));
              cursor.setAttribute("visibility", "visible");
              readout.textContent = `${panel.x || "epoch"} ${brief(x)}: ` + series.map(one => {
                const place = one.x.indexOf(x);
                return place < 0 ? "" : `${one.name} ${brief(one.y[place])}`;
              }).filter(Boolean).join(", ");
            };
            const hide = () => { cursor.setAttribute("visibility", "hidden"); readout.textContent = ""; at = -1; };
            svg.onpointermove = event => {
              const shape = svg.getBoundingClientRect(), x = (event.clientX - shape.left) * width / shape.width;
              const wanted = left + (x - box.l) / (box.r - box.l) * (right - left);
              let best = 0, step = 0, end = grid.length - 1;
              while (step < end) { const middle = (step + end) >> 1; if (grid[middle] < wanted) step = middle + 1; else end = middle; }
              best = step > 0 && wanted - grid[step - 1] < grid[step] - wanted ? step - 1 : step;
              show(best);
            };
            svg.onpointerleave = hide;
            host.onblur = hide;
            host.onkeydown = event => {
              const moves = {ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: grid.length - 1,
                PageUp: at - 10, PageDown: at + 10};
              if (event.key === "Escape") hide();
              else if (event.key in moves) { show(moves[event.key]); event.preventDefault(); }
            };
          };
        })();
        """#

    /// Filters the list of runs by text.
    package static let index = #"""
        "use strict";
        (() => {
          const find = document.getElementById("find"), rows = [...document.querySelectorAll("#runs tbody tr")];
          if (!find) return;
          const texts = rows.map(row => row.textContent.toLowerCase());
          find.addEventListener("input", () => {
            const words = find.value.toLowerCase().split(/\s+/);
            rows.forEach((row, index) => { row.hidden = !words.every(word => texts[index].includes(word)); });
          });
        })();
        """#

    /// For the page of one run. If a server shows it while the run trains, it is updated.
    package static let run =
        charts + #"""

            (() => {
              const data = document.getElementById("curves-data");
              if (!data) return;
              let panels = JSON.parse(data.textContent);
              const hosts = [...document.querySelectorAll("[data-panel]")];
              const all = () => hosts.forEach(host => annealCharts(host, panels[+host.dataset.panel]));
              all();
              document.documentElement.dataset.drawn = performance.now().toFixed(1);
              let width = innerWidth, timer = 0;
              addEventListener("resize", () => {
                if (innerWidth === width) return;
                width = innerWidth;
                clearTimeout(timer);
                timer = setTimeout(all, 100);
              });
              const live = document.getElementById("live");
              if (!live) return;
              const events = new EventSource(live.dataset.events), shown = panels.length;
              events.onmessage = event => {
                const news = JSON.parse(event.data);
                live.textContent = news.text;
                // The page has no place for the first curves of a run that had none.
                if (news.panels.length !== shown || news.state !== "running") {
                  events.close();
                  location.reload();
                  return;
                }
                panels = news.panels;
                if (!document.activeElement || !document.activeElement.dataset.panel) all();
              };
            })();
            """#
}
