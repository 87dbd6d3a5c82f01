// Markup as tagged templates. Whatever is put into one becomes a text node or a property, never HTML.
import htm from "htm";
import { h } from "preact";

export const html = htm.bind(h);
