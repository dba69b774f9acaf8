// Every text that can be seen, and its contrast by WCAG 2, where that is less than 4.5.
const context = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
function rgba(colour) {
  context.clearRect(0, 0, 1, 1);
  context.fillStyle = colour;
  context.fillRect(0, 0, 1, 1);
  const [red, green, blue, alpha] = context.getImageData(0, 0, 1, 1).data;
  return [red, green, blue, alpha / 255];
}
const over = ([r, g, b, a], below) => [r, g, b].map((part, n) => part * a + below[n] * (1 - a));
function luminance(colour) {
  const [r, g, b] = colour.map((part) => part / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
function lineage(element) {
  return element ? [...lineage(element.parentElement), element] : [];
}
const dark = matchMedia('(prefers-color-scheme: dark)').matches;
function ground(element) {
  const below = dark ? [0, 0, 0] : [255, 255, 255];
  return lineage(element).reduce((sum, each) => over(rgba(getComputedStyle(each).backgroundColor), sum), below);
}
function contrast(element, colour) {
  const behind = ground(element);
  const opacity = lineage(element).reduce((product, each) => product * getComputedStyle(each).opacity, 1);
  const [r, g, b, alpha] = rgba(colour);
  const [one, other] = [luminance(over([r, g, b, alpha * opacity], behind)), luminance(behind)];
  return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
}
const seen = (element) => element.checkVisibility({ visibilityProperty: true })
  && !element.closest('[inert], .unseen, .skip, svg') && element.getBoundingClientRect().width > 1;
const found = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  const text = walker.currentNode.textContent.trim();
  if (text && seen(element)) found.push([text, contrast(element, getComputedStyle(element).color)]);
}
for (const field of document.querySelectorAll('input, textarea')) {
  if (!seen(field)) continue;
  found.push([`value of ${field.id}`, contrast(field, getComputedStyle(field).color)]);
  if (field.placeholder) found.push([field.placeholder, contrast(field, getComputedStyle(field, '::placeholder').color)]);
}
return {
  texts: found.length,
  faint: found.filter(([, ratio]) => ratio < 4.5).map(([text, ratio]) => `${text.slice(0, 40)}: ${ratio.toFixed(2)}`),
};
