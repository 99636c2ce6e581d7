// The form of the pipeline's options, from the list of the page's server.

import { $, h } from "./dom.js";
import { optionHelp, optionTitle, t } from "./texts.js";

// Fill the form; `apply` is called with the chosen values.
export function buildOptions(options, apply) {
  $("fields").replaceChildren(...options.map(fieldOf));
  $("open-options").onclick = () => $("options").showModal();
  $("close-options").onclick = () => $("options").close();
  $("reset-options").onclick = () => $("options-form").reset();
  $("options-form").onsubmit = () => apply(chosen(options));
}

function fieldOf(option) {
  const id = `option-${option.name}`, help = `${id}-help`;
  const text = optionHelp(option), { name, low, high } = option;
  return h("div", { className: "field" },
    h("label", { htmlFor: id }, optionTitle(option), h("code", { textContent: name })),
    controlOf(option, { id, name, "aria-describedby": help }),
    h("p", { id: help, className: "small", textContent: isNumber(option) ? t("range", { help: text, low, high }) : text }));
}

function controlOf(option, common) {
  const given = option.type === "bool" ? { true: t("yes"), false: t("no") }[option.default?.toLowerCase()] : option.default;
  const usual = given ? `${t("default")}: ${given}` : t("default");
  if (isNumber(option)) {
    return h("input", {
      ...common, type: "number", min: option.low, max: option.high,
      step: option.type === "int" ? 1 : "any", placeholder: option.default ?? t("default"),
    });
  }
  const words = option.type === "bool" ? [["true", t("yes")], ["false", t("no")]] : option.words.map((word) => [word, word]);
  return h("select", common,
    h("option", { value: "", textContent: usual }),
    ...words.map(([value, textContent]) => h("option", { value, textContent })));
}

const isNumber = ({ type }) => type === "int" || type === "float";

function chosen(options) {
  const values = {};
  for (const { name, type } of options) {
    const text = $(`option-${name}`).value;
    if (text === "") continue;
    values[name] = type === "bool" ? text === "true" : type === "str" ? text : Number(text);
  }
  return values;
}
