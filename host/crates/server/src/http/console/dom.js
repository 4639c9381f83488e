// Elements, made without strings of HTML: what comes from the server is text, never markup.

export const byId = (id) => document.getElementById(id);

export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "class") element.className = value;
    else if (key === "text") element.textContent = value;
    else if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export const badge = (state) => make("span", { class: "badge", "data-state": state, text: state });

// Pairs of a term and what it is; those without a value are left out.
export function facts(pairs) {
  const list = make("dl");
  for (const [term, value] of pairs) {
    if (value === null || value === undefined || value === "") continue;
    list.append(make("dt", { text: term }), make("dd", {}, value));
  }
  return list;
}

// Rows of a table, or one that says why there are none.
export function fill(body, rows, columns, nothing) {
  const empty = () => make("tr", {}, make("td", { colspan: columns, class: "empty", text: nothing }));
  body.replaceChildren(...(rows.length ? rows : [empty()]));
}

export const cell = (content, name = "") => make("td", { class: name }, content);

// Writes a text where it changed, so that a selection or a screen reader is not disturbed.
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// What is worth hearing of; read aloud by screen readers.
export const tell = (text) => write(byId("news"), text);
