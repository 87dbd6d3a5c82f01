// The small parts that every view is made of.
import { useLayoutEffect, useRef } from "preact/hooks";

import { distance, visible } from "./format.js";
import { html } from "./html.js";
import { useNow } from "./load.js";

/** A text that strangers chose: its own direction, and nothing invisible in it. */
export const Text = ({ of }) =>
  of === "" ? html`<i class="muted">empty</i>` : html`<bdi>${visible(of)}</bdi>`;

/** When something was or will be, for people, and exactly in the title. */
export function When({ ms }) {
  const now = useNow();
  const exact = new Date(ms).toISOString();
  return html`<time datetime=${exact} title=${exact}>${distance(ms, now)}</time>`;
}

/** A word about a thing; `tone` is "good", "warn", "bad" or nothing. */
export const Chip = ({ tone = "", children }) => html`<span class="chip ${tone}">${children}</span>`;

/** A part of a page with a heading; `aside` stands beside it. */
export const Section = ({ title, aside, children, kind = "" }) => {
  const id = `section-${title.toLowerCase().replaceAll(/[^a-z]+/g, "-")}`;
  return html`<section class="card ${kind}" aria-labelledby=${id}>
    <header class="card-head"><h2 id=${id}>${title}</h2>${aside}</header>
    ${children}
  </section>`;
};

/** What stands where nothing does. */
export const Empty = ({ children }) => html`<p class="empty">${children}</p>`;

/** An error of the admin API, which says its own cure. */
export const Failure = ({ error, retry }) => html`<div class="failure" role="alert">
  <p>${visible(error.message)}</p>
  ${retry && html`<button type="button" class="secondary" onClick=${retry}>Try again</button>`}
</div>`;

/** What came of a change: { error }, or { text }, or nothing. */
export const Outcome = ({ of }) => html`<div role="status">
  ${of.error && html`<${Failure} error=${of.error} />`}
  ${of.text && html`<p class="said">${visible(of.text)}</p>`}
</div>`;

/** What `useCall` returned: the data by `children`, or that it is on its way, or why it is not here. */
export function Loaded({ of, children }) {
  if (of.error && of.error.status !== 0) {
    return html`<${Failure} error=${of.error} retry=${of.reload} />`;
  }
  if (of.data) return children(of.data);
  if (of.error) return html`<${Empty}>The host does not answer.<//>`;
  return html`<p class="empty" aria-busy="true">Loading</p>`;
}

/** A table in a frame; `label` names it. */
export const Table = ({ label, heads, children, kind = "" }) => html`<table class=${kind} aria-label=${label}>
  <thead><tr>${heads.map((head) => html`<th scope="col" class=${head.kind ?? ""}>${head.text ?? head}</th>`)}</tr></thead>
  <tbody>${children}</tbody>
</table>`;

/** A dialog over the page, closed by Escape too; `onClose` unmounts it. */
export function Dialog({ title, onClose, children }) {
  const dialog = useRef();
  useLayoutEffect(() => dialog.current.showModal(), []);
  return html`<dialog ref=${dialog} onClose=${onClose} aria-labelledby="dialog-title">
    <article>
      <header><h2 id="dialog-title">${title}</h2></header>
      ${children}
    </article>
  </dialog>`;
}
