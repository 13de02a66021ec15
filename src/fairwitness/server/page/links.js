// Point at a sentence and what it cites lights up; point at a source and what cites it does.

/** Light up within `root`, by pointer and by keyboard. */
export function lightUp(root) {
  for (const name of ["pointerover", "focusin"]) {
    root.addEventListener(name, (event) => light(root, event.target));
  }
  for (const name of ["pointerleave", "focusout"]) {
    root.addEventListener(name, () => clear(root));
  }
}

function light(root, target) {
  clear(root);
  const sentence = target.closest("[data-cites]");
  const card = target.closest("[data-source]");
  if (sentence) lightCited(root, sentence, chosen(target));
  else if (card) lightCiting(root, card);
}

/** The number of the one citation that is pointed at, if any. */
function chosen(target) {
  const chip = target.closest(".cite");
  return chip ? Number(chip.textContent) : null;
}

function lightCited(root, sentence, only) {
  sentence.classList.add("lit");
  for (const { source, start, end } of citations(sentence)) {
    if (only !== null && source !== only) continue;
    const card = root.querySelector(`[data-source="${source}"]`);
    card?.classList.add("lit");
    for (const mark of card?.querySelectorAll("mark") ?? []) {
      const { start: from, end: until } = mark.dataset;
      mark.classList.toggle("lit", start <= Number(from) && Number(until) <= end);
    }
  }
}

function lightCiting(root, card) {
  const number = Number(card.dataset.source);
  card.classList.add("lit");
  card.querySelectorAll("mark").forEach((mark) => mark.classList.add("lit"));
  for (const sentence of root.querySelectorAll("[data-cites]")) {
    if (citations(sentence).some(({ source }) => source === number)) sentence.classList.add("lit");
  }
}

function citations(sentence) {
  return JSON.parse(sentence.dataset.cites);
}

function clear(root) {
  root.querySelectorAll(".lit").forEach((element) => element.classList.remove("lit"));
}
