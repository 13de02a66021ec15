// Elements are made here and nowhere else: text only ever becomes a text node, so what a post says
// can never become part of the page.

/** An element with a class, properties and children; children are elements, text, or nothing. */
export function make(tag, className, properties, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (name.startsWith("data-") || name.startsWith("aria-")) element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children.filter((child) => child !== null && child !== ""));
  return element;
}

/** Foreign text, which may run right to left without turning round what stands beside it. */
export function foreign(tag, className, text) {
  return make(tag, className, { dir: "auto" }, text);
}

/** A name in the middle of a line of ours. */
export function bdi(text) {
  return make("bdi", "", {}, text);
}

/** A link to `address`, or nothing when that is no address on the web. */
export function link(address, text) {
  if (!/^https?:\/\//i.test(address)) return null;
  return make("a", "", { href: address, rel: "noopener noreferrer nofollow", target: "_blank" }, text);
}
