// What sticks out of the window, and what a finger would miss; what scrolls by itself may be longer.
const page = document.documentElement;
const scrolls = (element) => element.closest('#hints, pre');
const name = (element) => `${element.tagName} ${element.id || element.className || element.textContent.slice(0, 20)}`;
const seen = (element) => element.checkVisibility({ visibilityProperty: true }) && !element.closest('[inert], .unseen, .skip, .confetti');
const out = [...document.querySelectorAll('body *')].filter((element) => {
  const box = element.getBoundingClientRect();
  return seen(element) && !scrolls(element) && box.width > 0 && (box.left < -1 || box.right > innerWidth + 1);
});
const small = [...document.querySelectorAll('a, button, summary, input, textarea')].filter((element) => {
  const box = element.getBoundingClientRect();
  return seen(element) && (box.height < 44 || box.width < 44);
});
return [
  ...(page.scrollWidth > page.clientWidth ? [`the page is ${page.scrollWidth} wide, the window ${page.clientWidth}`] : []),
  ...out.map((element) => `${name(element)} sticks out`),
  ...small.map((element) => `${name(element)} is too small for a finger`),
];
