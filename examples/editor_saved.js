/**
 * Whether the host has on disk what was written here. y-websocket does not say; but a host answers
 * a sync step 1 with a step 2, in the order of what it was sent, and no answer of it leaves before
 * the writes before it are on disk. So after a change the page asks, and the answer is the receipt.
 */
import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";
import { messageYjsSyncStep1, messageYjsSyncStep2, writeSyncStep1 } from "y-protocols/sync";
import { messageSync } from "y-websocket";

const ASK_AFTER_MS = 300; // many keys, one question

/** `saved` is true when everything is on disk; `changed` is called when that changes. */
export class Saved {
  saved = true;
  #provider; #changed;
  #changes = 0; #stored = 0; // how many changes there were here, and how many of them are on disk
  #questions = []; // for each step 1 that awaits its answer: the changes before it
  #offered = false; // whether the host has got what was written before this connection
  #timer = 0;

  constructor(provider, changed) {
    this.#provider = provider;
    this.#changed = changed;
    provider.doc.on("update", (update, origin) => {
      if (origin === provider) return; // of others
      this.#changes += 1;
      this.#settle();
    });
    provider.on("status", ({ status }) => {
      if (status === "connected") [this.#questions, this.#offered] = [[this.#stored], false];
    });
    const handle = provider.messageHandlers[messageSync];
    provider.messageHandlers[messageSync] = (encoder, decoder, of, fromHost, type) => {
      const step = decoding.peekVarUint(decoder);
      handle(encoder, decoder, of, fromHost, type);
      if (fromHost) this.#received(step); // not from another tab of this browser
    };
  }

  #received(step) {
    if (step === messageYjsSyncStep1) this.#offered = true; // y-websocket answers with all it has
    if (step === messageYjsSyncStep2) this.#stored = Math.max(this.#stored, this.#questions.shift() ?? 0);
    this.#settle();
  }

  #settle() {
    const saved = this.#stored === this.#changes;
    if (saved !== this.saved) {
      this.saved = saved;
      this.#changed();
    }
    if (!saved) this.#timer ||= setTimeout(() => this.#ask(), ASK_AFTER_MS);
  }

  #ask() {
    this.#timer = 0;
    if (!this.#provider.wsconnected || !this.#offered || this.#questions.length > 0) return;
    const encoder = encoding.createEncoder();
    encoding.writeVarUint(encoder, messageSync);
    writeSyncStep1(encoder, this.#provider.doc);
    this.#provider.ws.send(encoding.toUint8Array(encoder));
    this.#questions.push(this.#changes);
  }
}
