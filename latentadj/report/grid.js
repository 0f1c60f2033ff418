"use strict";
(function () {
  const SIZES = [25, 100, 500];
  const DASH = "\u2013";

  function element(name, attributes, text) {
    const made = document.createElement(name);
    for (const key in attributes) made.setAttribute(key, attributes[key]);
    if (text !== undefined) made.textContent = text;
    return made;
  }

  function grouped(value) {
    return String(value).replace(/\B(?=(\d{3})+(?!\d))/g, ",");
  }

  /* Three significant digits, as in the other tables of the page. */
  function shownNumber(value, kind) {
    if (kind === "p" && value < 1e-300) return "< 1e-300";
    if (kind === "count" || (Math.abs(value) >= 1000 && Math.abs(value) < 1e15 && Number.isInteger(value))) return grouped(value);
    if (value === 0) return "0";
    const [mantissa, power] = value.toExponential(2).split("e");
    const exponent = Number(power);
    const trimmed = (text) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);
    if (exponent >= -4 && exponent < 3) return trimmed(value.toFixed(2 - exponent));
    const digits = String(Math.abs(exponent)).padStart(2, "0");
    return trimmed(mantissa) + "e" + (exponent < 0 ? "-" : "+") + digits;
  }

  function shown(value, kind) {
    if (value === null) return DASH;
    return kind === "text" ? value : shownNumber(value, kind);
  }

  /* What names are sorted by: letters regardless of case, numbers inside a name by their size. */
  function nameKey(text) {
    return text.toLowerCase().replace(/\d+/g, (digits) => digits.padStart(15, "0"));
  }

  /* Places of the rows in ascending order of a column, and how many rows have a value; the rest come last. */
  function ascending(values, kind) {
    const known = [], missing = [];
    values.forEach((value, row) => (value === null ? missing : known).push(row));
    const keys = kind === "text" ? values.map((value) => value === null ? "" : nameKey(value)) : Float64Array.from(values);
    known.sort((a, b) => (keys[a] < keys[b] ? -1 : keys[a] > keys[b] ? 1 : a - b));
    return { known, missing };
  }

  function Grid(root) {
    const data = JSON.parse(root.querySelector("script").textContent);
    const body = root.querySelector("tbody");
    const note = root.querySelector(".extent");
    const heads = Array.from(root.querySelectorAll("thead th"));
    const count = data.columns.length ? data.columns[0].length : 0;
    const texts = data.columns.filter((_, i) => data.kinds[i] === "text").map((c) => c.map((v) => (v || "").toLowerCase()));
    const orders = {};
    let sorted = { column: data.sorted, up: true };
    let order = Array.from({ length: count }, (_, i) => i);
    let found = order;
    let first = 0, size = SIZES[0];

    function sortBy(column) {
      const up = sorted.column === column ? !sorted.up : true;
      sorted = { column, up };
      orders[column] = orders[column] || ascending(data.columns[column], data.kinds[column]);
      const { known, missing } = orders[column];
      order = (up ? known : known.slice().reverse()).concat(missing);
      search();
      heads.forEach((head, i) => {
        if (i === column) head.setAttribute("aria-sort", up ? "ascending" : "descending");
        else head.removeAttribute("aria-sort");
      });
    }

    function search() {
      const wanted = box.value.trim().toLowerCase();
      found = wanted ? order.filter((row) => texts.some((column) => column[row].includes(wanted))) : order;
      first = 0;
      draw();
    }

    function cell(column, row) {
      const kind = data.kinds[column];
      const attributes = kind === "text" ? {} : { class: "n" };
      return element("td", attributes, shown(data.columns[column][row], kind));
    }

    function draw() {
      const rows = found.slice(first, first + size).map((row) => {
        const line = element("tr", {});
        data.columns.forEach((_, column) => line.appendChild(cell(column, row)));
        return line;
      });
      body.replaceChildren(...rows);
      const some = found.length ? grouped(first + 1) + DASH + grouped(first + rows.length) : "0";
      const all = found.length === count ? grouped(count) : grouped(found.length) + " found, " + grouped(count);
      extent.textContent = some + " of " + all + " rows";
      const printed = Math.min(rows.length, SIZES[0]);
      note.textContent = "Printed: " + grouped(printed) + " of " + grouped(count) + " rows, as chosen and sorted on the screen.";
      back.disabled = first === 0;
      next.disabled = first + size >= found.length;
    }

    function turn(step) {
      first = Math.max(0, first + step * size);
      draw();
    }

    const bar = element("div", { class: "controls" });
    const label = element("label", {}, "Search ");
    const box = element("input", { type: "search", autocomplete: "off", spellcheck: "false" });
    label.appendChild(box);
    const choice = element("label", {}, "Rows ");
    const sizes = element("select", {});
    SIZES.forEach((n) => sizes.appendChild(element("option", { value: n }, String(n))));
    choice.appendChild(sizes);
    const back = element("button", { type: "button", "aria-label": "Previous rows" }, "\u2190");
    const next = element("button", { type: "button", "aria-label": "Next rows" }, "\u2192");
    const extent = element("output", { "aria-live": "polite" });
    bar.append(label, choice, back, next, extent);
    box.addEventListener("input", search);
    sizes.addEventListener("change", () => { size = Number(sizes.value); first = 0; draw(); });
    back.addEventListener("click", () => turn(-1));
    next.addEventListener("click", () => turn(1));

    heads.forEach((head, column) => {
      const button = element("button", { type: "button", title: "Sort" }, head.textContent);
      head.replaceChildren(button);
      button.addEventListener("click", () => sortBy(column));
    });
    if (data.sorted >= 0) heads[data.sorted].setAttribute("aria-sort", "ascending");
    root.insertBefore(bar, root.firstChild);
    root.classList.add("live");
    draw();
  }

  document.querySelectorAll(".grid").forEach(Grid);
})();
