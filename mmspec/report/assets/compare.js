// Compares two runs. What is recorded of a run stands in runs/<name>.js, which calls mmspecRun; pages that are
// opened from disk may load scripts, but not fetch data. The choice stands in the address: #a=…&b=….
"use strict";

const runs = new Map();
const loading = new Map();
const a = document.getElementById("a");
const b = document.getElementById("b");
const said = document.getElementById("said");
const result = document.getElementById("result");
const names = new Set([...a.options].map((option) => option.value));
const title = document.title;

function mmspecRun(name, data) {
  runs.set(name, data);
}

function load(name) {
  if (!loading.has(name)) {
    loading.set(name, new Promise((done, failed) => {
      const script = document.createElement("script");
      script.src = `runs/${encodeURIComponent(name)}.js`;
      script.onload = () => (runs.has(name) ? done() : failed(new Error(name)));
      script.onerror = () => failed(new Error(name));
      document.head.append(script);
    }));
  }
  return loading.get(name);
}

// ---------------------------------------------------------------- what differs

function differing(left, right) {
  const keys = [...new Set([...Object.keys(left), ...Object.keys(right)])];
  return keys.filter((key) => left[key] !== right[key]).map((key) => [key, left[key], right[key]]);
}

function shown(value) {
  if (value === undefined) return "–";
  if (typeof value !== "number") return value;
  return minus(String(Number(value.toPrecision(4))));
}

function difference(left, right) {
  if (typeof left !== "number" || typeof right !== "number") return "";
  const value = Number((right - left).toPrecision(4));
  return (value > 0 ? "+" : "") + minus(String(value));
}

function minus(text) {
  return text.replace("-", "−");
}

// ---------------------------------------------------------------- the page

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

function table(caption, heads, rows, kind) {
  const head = make("tr", {}, ...heads.map((text) => make("th", { scope: "col" }, text)));
  const lines = rows.map(([name, ...cells]) => make("tr", {},
    make("th", { scope: "row" }, make("code", {}, name)),
    ...cells.map((text) => make("td", {}, make("code", {}, text)))));
  const whole = make("table", { className: `${kind} quiet` },
    make("caption", {}, caption), make("thead", {}, head), make("tbody", {}, ...lines));
  const box = make("div", { className: "scroll", tabIndex: 0 }, whole);
  box.setAttribute("role", "region");
  box.setAttribute("aria-label", caption);
  return box;
}

function part(name, heading, rows, heads, same, kind = "runs") {
  const title = make("h2", { id: name }, heading);
  const inside = rows.length ? table(heading, heads, rows, kind) : make("p", { className: "lead" }, same);
  const section = make("section", {}, title, inside);
  section.setAttribute("aria-labelledby", name);
  return section;
}

function link(letter, name, run) {
  return make("p", {}, make("span", { className: "letter" }, letter), " ",
    make("a", { href: `runs/${encodeURIComponent(name)}.html` }, run.name), ` – ${run.part}, ${run.status} `,
    make("code", {}, run.id));
}

function show() {
  const left = runs.get(a.value), right = runs.get(b.value);
  const heads = ["key", "A", "B"];
  const spec = differing(left.spec, right.spec).map(([key, x, y]) => [key, shown(x), shown(y)]);
  const made = differing(left.made, right.made).map(([key, x, y]) => [key, shown(x), shown(y)]);
  const metrics = [...new Set([...Object.keys(left.values), ...Object.keys(right.values)])];
  const values = metrics.map((name) => {
    const x = left.values[name], y = right.values[name];
    return [name, shown(x), shown(y), difference(x, y)];
  });
  result.replaceChildren(
    make("div", { className: "pair" }, link("A", a.value, left), link("B", b.value, right)),
    part("spec", "Spec", spec, heads, "Both were asked to do the same."),
    part("made", "Code, data and packages", made, heads, "The same code, data and packages made both."),
    part("values", "Result", values, ["metric", "A", "B", "B − A"], "Neither has a result.", "runs digits"));
  const keys = spec.length === 1 ? "1 key of the spec differs" : `${spec.length || "No"} keys of the spec differ`;
  said.textContent = a.value === b.value ? "This is one run, compared with itself." : `${keys}.`;
  document.title = `${left.name} and ${right.name} · ${title}`;
}

function update() {
  const chosen = [a.value, b.value];
  history.replaceState(null, "", `#a=${encodeURIComponent(chosen[0])}&b=${encodeURIComponent(chosen[1])}`);
  said.textContent = "Loading …";
  Promise.all(chosen.map(load)).then(
    () => {
      if (chosen[0] === a.value && chosen[1] === b.value) show();
    },
    (error) => {
      result.replaceChildren();
      said.textContent = `The data of ${error.message} cannot be read: runs/${error.message}.js is not there.`;
    });
}

function read() {
  const asked = new URLSearchParams(location.hash.slice(1));
  const known = (name, other) => (names.has(asked.get(name)) ? asked.get(name) : other);
  a.value = known("a", a.options[0].value);
  b.value = known("b", a.options[Math.min(1, a.options.length - 1)].value);
  update();
}

if (names.size) {
  document.getElementById("choice").hidden = false;
  a.addEventListener("change", update);
  b.addEventListener("change", update);
  document.getElementById("swap").addEventListener("click", () => {
    [a.value, b.value] = [b.value, a.value];
    update();
  });
  window.addEventListener("hashchange", read);
  read();
}
