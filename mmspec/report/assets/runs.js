// The list of runs can be filtered and sorted; without this script it is complete, in the order of the rows.
"use strict";

const list = document.getElementById("list");
if (list) {
  const body = list.tBodies[0];
  addFilter();
  for (const [index, head] of [...list.tHead.rows[0].cells].entries()) addSort(head, index);

  function addFilter() {
    const line = document.createElement("p");
    line.className = "filter";
    const label = document.createElement("label");
    label.htmlFor = "filter";
    label.textContent = "Filter";
    const input = document.createElement("input");
    input.id = "filter";
    input.type = "search";
    input.autocomplete = "off";
    const count = document.createElement("span");
    count.setAttribute("role", "status");
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const row of body.rows) {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
        shown += !row.hidden;
      }
      count.textContent = words.length ? `${shown} of ${body.rows.length} runs` : "";
    });
    line.append(label, input, count);
    list.closest(".scroll").before(line);
  }

  function addSort(head, index) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of list.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const rows = [...body.rows].sort((a, b) => compare(key(a.cells[index]), key(b.cells[index])));
      body.append(...(down ? rows.reverse() : rows));
    });
  }

  function key(cell) {
    const text = cell.dataset.sort ?? cell.textContent.trim();
    const number = Number(text);
    return text !== "" && !Number.isNaN(number) ? number : text;
  }

  // Numbers by size, before words by the alphabet.
  function compare(a, b) {
    if (typeof a === "number" && typeof b === "number") return a - b;
    if (typeof a === typeof b) return a.localeCompare(b);
    return typeof a === "number" ? -1 : 1;
  }
}
