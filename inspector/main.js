// The inspector's page: what a host has, read through its admin API with an API key.
import "@picocss/pico/css/pico.jade.min.css";
import "uplot/dist/uPlot.min.css";
import "./style.css";

import { render } from "preact";

import { App } from "./app.js";
import { html } from "./html.js";

render(html`<${App} />`, document.body);
