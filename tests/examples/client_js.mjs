// The reference client against a host that follows a script: `node client_js.mjs SCENARIO`.
import assert from "node:assert/strict";
import { WebSocket } from "ws";
import { LIFETIME_MS, Stage, failure, until } from "./scripted_host.mjs";

const PING_MS = 25_000;
const seqs = (room) => {
  const found = [];
  room.on("message", ({ seq }) => found.push(seq));
  return found;
};

const scenarios = {
  async opens_with_the_grant_and_publishes(stage) {
    const { room, peer } = await stage.online();
    assert.deepEqual(peer.protocols, ["roomhost.v1.json", "bearer.token-1"]);
    assert.deepEqual(peer.query, {});
    assert.deepEqual([room.state, room.memberId, room.connectionId], ["online", "m", "c"]);
    const published = room.publish({ type: "chat", data: { text: "hi" } });
    const frame = await peer.ack({ messageId: "1" });
    assert.equal(frame.type, "publish");
    assert.match(frame.message.idempotencyKey, /^[0-9a-f]{32}$/);
    assert.deepEqual({ ...frame.message, idempotencyKey: 0 },
      { type: "chat", data: { text: "hi" }, idempotencyKey: 0 });
    assert.deepEqual(await published, { messageId: "1" });
  },

  async has_a_frame_for_each_operation(stage) {
    const { room, peer } = await stage.online();
    const calls = [
      [room.broadcast({ type: "t" }, { idempotencyKey: "k" }),
        { type: "broadcast", message: { type: "t", idempotencyKey: "k" } }],
      [room.join({ metadata: { a: 1 } }), { type: "join", metadata: { a: 1 } }],
      [room.presence({ typing: true }), { type: "presence", state: { typing: true } }],
      [room.metadata({ title: "x" }), { type: "metadata", metadata: { title: "x" } }],
      [room.metadata(), { type: "metadata" }],
      [room.members({ limit: 2 }), { type: "members", limit: 2 }],
      [room.history({ cursor: "c" }), { type: "history", cursor: "c" }],
      [room.snapshot(), { type: "snapshot" }],
      [room.restore("s"), { type: "restore", snapshotId: "s" }],
      [room.lifecycle(), { type: "lifecycle" }],
      [room.leave(), { type: "leave" }],
    ];
    for (const [promise, expected] of calls) {
      const { id, ...frame } = await peer.ack({ of: expected.type });
      assert.deepEqual(frame, expected);
      assert.deepEqual(await promise, { of: expected.type });
    }
  },

  async a_publish_in_flight_is_sent_again_with_its_key(stage) {
    const { room, peer } = await stage.online();
    const published = room.publish({ type: "chat" });
    const first = await peer.frame();
    peer.lose();
    const second = await stage.again(room);
    assert.deepEqual(second.query, { epoch: "1-a", seq: "0" });
    second.welcome({ recovered: true });
    assert.deepEqual(await second.ack({ messageId: "1" }), first);
    assert.deepEqual(await published, { messageId: "1" });
  },

  async what_is_published_without_a_connection_goes_out_in_order(stage) {
    const { room, peer } = await stage.online();
    peer.lose();
    await until(room, "state", ({ state }) => state === "waiting");
    const published = [1, 2, 3].map((n) => room.publish({ type: "chat", data: n }));
    const second = await stage.again(room);
    second.welcome({ recovered: true });
    for (const n of [1, 2, 3]) assert.equal((await second.ack()).message.data, n);
    await Promise.all(published);
  },

  async a_message_that_was_seen_is_dropped(stage) {
    const { room, peer } = await stage.online();
    const seen = seqs(room), second = until(room, "message", ({ seq }) => seq === 2);
    peer.message(1);
    peer.message(2);
    await second;
    peer.lose();
    const again = await stage.again(room);
    assert.deepEqual(again.query, { epoch: "1-a", seq: "2" });
    const fourth = until(room, "message", ({ seq }) => seq === 4);
    again.welcome({ seq: 3, recovered: true });
    for (const seq of [2, 3, 3, 4]) again.message(seq);
    await fourth;
    assert.deepEqual(seen, [1, 2, 3, 4]);
  },

  async a_gap_is_told_and_the_new_epoch_counts_from_there(stage) {
    const { room, peer } = await stage.online();
    const seventh = until(room, "message");
    peer.message(7);
    await seventh;
    peer.lose();
    const second = await stage.again(room), gap = until(room, "gap");
    const place = { epoch: "2-b", seq: 3, recovered: false };
    second.welcome(place);
    second.send({ type: "resumed", reason: "epoch_changed", ...place });
    assert.equal((await gap).reason, "epoch_changed");
    assert.deepEqual([room.epoch, room.seq], ["2-b", 3]);
    const fourth = until(room, "message");
    second.message(4);
    assert.equal((await fourth).seq, 4);
    second.lose();
    assert.deepEqual((await stage.again(room)).query, { epoch: "2-b", seq: "4" });
  },

  async the_token_is_refreshed_in_place(stage) {
    const lifetime = 25_000; // at 20 s, before the first ping
    const grant = async () => ({ ...await stage.grant(),
      expiresAt: new Date(stage.clock.now() + lifetime).toISOString() });
    const { room, peer } = await stage.online({ grant });
    stage.clock.advance(lifetime * 0.8 - 1);
    assert.equal(stage.grants, 1);
    stage.clock.advance(1);
    const { id, ...frame } = await peer.ack();
    assert.deepEqual(frame, { type: "auth.refresh", token: "token-2" });
    const members = room.members();
    await peer.ack();
    await members; // so the answer before it has arrived as well
    await turn();
    stage.clock.advance(lifetime * 0.8);
    assert.deepEqual((await next(peer, "auth.refresh")).token, "token-3");
  },

  async a_refresh_that_fails_is_told_and_tried_again(stage) {
    let failing = false;
    const lifetime = 12_500; // refreshed at 10 s
    const grant = async () => {
      if (failing) throw new Error("no network");
      return { ...await stage.grant(),
        expiresAt: new Date(stage.clock.now() + lifetime).toISOString() };
    };
    const { room, peer } = await stage.online({ grant });
    failing = true;
    const told = until(room, "error");
    stage.clock.advance(lifetime * 0.8);
    assert.equal((await told).error.message, "no network");
    failing = false;
    await turn();
    stage.clock.advance(5_000);
    assert.equal((await peer.frame()).type, "auth.refresh");
    assert.equal(room.state, "online");
  },

  async a_refused_token_is_renewed_once(stage) {
    const room = stage.client(), publish = failure(room.publish({ type: "chat" }));
    (await stage.peer()).close(4401);
    const second = await stage.peer(); // at once: the clock stands
    assert.deepEqual(second.protocols[1], "bearer.token-2");
    second.close(4401);
    assert.equal((await publish).code, "unauthenticated");
    assert.equal(room.state, "closed");
    assert.deepEqual([stage.grants, stage.clock.timers.size], [2, 0]);
  },

  async a_permanent_close_ends_the_connection(stage) {
    const { room, peer } = await stage.online();
    const history = failure(room.history());
    await peer.frame();
    peer.close(4410);
    const error = await history;
    assert.deepEqual([error.name, error.code, error.retryable],
      ["RealtimeError", "room_destroyed", false]);
    assert.deepEqual(stage.states.at(-1), { state: "closed", error });
    assert.equal(stage.clock.timers.size, 0);
    assert.equal((await failure(room.members())).code, "closed");
  },

  async an_expired_grant_is_replaced(stage) {
    const { room, peer } = await stage.online();
    peer.close(4503);
    const second = await stage.again(room);
    assert.equal(second.protocols[1], "bearer.token-2");
  },

  async a_good_grant_is_used_again_and_an_old_one_is_not(stage) {
    const { room, peer } = await stage.online();
    peer.close(1012);
    const second = await stage.again(room);
    assert.equal(second.protocols[1], "bearer.token-1");
    const lost = until(room, "state", ({ state }) => state === "waiting");
    second.close(1012); // before a welcome: no timer of it is left
    await lost;
    stage.clock.clearTimeout([...stage.clock.timers.keys()][0]);
    stage.clock.advance(LIFETIME_MS * 0.8);
    room.reopen();
    assert.equal((await stage.peer()).protocols[1], "bearer.token-2");
  },

  async the_host_says_when_to_come_back(stage) {
    const { room, peer } = await stage.online();
    const told = until(room, "error");
    peer.send({ type: "error", code: "overloaded", message: "full", retryable: true,
      retryAfterMs: 7_000 });
    assert.equal((await told).error.code, "overloaded");
    peer.close(4501);
    const { waitMs } = await until(room, "state", ({ state }) => state === "waiting");
    assert.equal(waitMs, 7_000);
  },

  async waits_grow_to_half_a_minute_and_are_random(stage) {
    const grant = async () => { throw new Error("no network"); };
    let random = 1;
    const room = stage.client({ grant, random: () => random });
    const waits = [];
    for (let n = 0; n < 9; n++) {
      if (n === 8) random = 0.25;
      const { waitMs, error } = await until(room, "state", ({ state }) => state === "waiting");
      assert.equal(error.message, "no network");
      waits.push(waitMs);
      stage.clock.advance(waitMs);
    }
    assert.deepEqual(waits, [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 7500]);
  },

  async a_connection_that_does_not_last_forgives_nothing(stage) {
    const waits = [];
    let { room, peer } = await stage.online({ random: () => 1 });
    for (const livedMs of [0, 0, 5_000, 0]) {
      stage.clock.advance(livedMs);
      const waiting = until(room, "state", ({ state }) => state === "waiting");
      peer.lose();
      const { waitMs } = await waiting;
      waits.push(waitMs);
      stage.clock.advance(waitMs);
      peer = await stage.peer();
      const welcome = until(room, "welcome");
      peer.welcome({ recovered: true });
      await welcome;
    }
    assert.deepEqual(waits, [500, 1000, 500, 1000]);
  },

  async a_grant_that_is_denied_ends_the_connection(stage) {
    const denied = Object.assign(new Error("not yours"), { retryable: false });
    const room = stage.client({ grant: async () => { throw denied; } });
    assert.equal(await failure(room.members()), denied);
    assert.equal(room.state, "closed");
  },

  async the_outbox_is_bounded(stage) {
    const room = stage.client({ maxOutbox: 2 });
    const waiting = [room.publish({ type: "a" }), room.publish({ type: "b" })];
    const error = await failure(room.publish({ type: "c" }));
    assert.deepEqual([error.code, error.retryable], ["outbox_full", true]);
    const peer = await stage.peer();
    peer.welcome();
    for (const type of ["a", "b"]) assert.equal((await peer.ack()).message.type, type);
    await Promise.all(waiting);
    room.publish({ type: "d" });
    assert.equal((await peer.frame()).message.type, "d");
  },

  async a_frame_that_the_host_would_refuse_is_not_sent(stage) {
    const { room } = await stage.online();
    const error = await failure(room.publish({ type: "a", data: "é".repeat(524_288) }));
    assert.deepEqual([error.code, error.retryable], ["payload_too_large", false]);
  },

  async no_more_is_sent_than_the_host_takes(stage) {
    let sent = 0;
    class Counting extends WebSocket {
      send(...args) { sent += 1; super.send(...args); }
    }
    const { room, peer } = await stage.online({ WebSocket: Counting });
    for (let n = 0; n < 200; n++) room.publish({ type: "t", data: n });
    assert.equal(sent, 80);
    for (let n = 0; n < 80; n++) assert.equal((await peer.frame()).message.data, n);
    stage.clock.advance(1_000);
    assert.equal(sent, 120);
    for (let n = 80; n < 120; n++) assert.equal((await peer.frame()).message.data, n);
    peer.lose(); // nothing was answered: all is sent again, no faster
    const second = await stage.again(room);
    second.welcome({ recovered: true });
    await until(room, "welcome");
    assert.equal(sent, 120);
    stage.clock.advance(5_000);
    assert.equal(sent, 320);
    for (let n = 0; n < 200; n++) assert.equal((await second.frame()).message.data, n);
  },

  async an_error_frame_rejects_with_what_it_says(stage) {
    const { room, peer } = await stage.online();
    const refused = failure(room.publish({ type: "room.x" }));
    const { id } = await peer.frame();
    peer.send({ type: "error", id, code: "invalid_argument", message: "no", retryable: false,
      field: "message.type" });
    const error = await refused;
    assert.deepEqual([error.code, error.message, error.retryable, error.field],
      ["invalid_argument", "no", false, "message.type"]);
    assert.equal(room.state, "online");
  },

  async what_may_not_be_done_twice_is_not_asked_twice(stage) {
    const { room, peer } = await stage.online();
    const snapshot = failure(room.snapshot()), history = room.history();
    await peer.frame();
    await peer.frame();
    peer.lose();
    const error = await snapshot;
    assert.deepEqual([error.code, error.retryable], ["connection_lost", true]);
    const second = await stage.again(room);
    second.welcome({ recovered: true });
    assert.equal((await second.ack({ items: [] })).type, "history");
    assert.deepEqual(await history, { items: [] });
  },

  async presence_is_set_again_and_only_the_last_waits(stage) {
    const { room, peer } = await stage.online();
    const set = room.presence({ n: 1 });
    await peer.ack();
    await set;
    peer.lose();
    await until(room, "state", ({ state }) => state === "waiting");
    const later = [room.presence({ n: 2 }), room.presence({ n: 3 })];
    const second = await stage.again(room);
    second.welcome({ recovered: true });
    assert.deepEqual((await second.ack({ ok: 1 })).state, { n: 3 });
    assert.deepEqual(await Promise.all(later), [{ ok: 1 }, { ok: 1 }]);
    second.lose();
    const third = await stage.again(room);
    third.welcome({ recovered: true });
    assert.deepEqual((await third.ack()).state, { n: 3 });
  },

  async two_pings_without_an_answer_are_the_end(stage) {
    const { room, peer } = await stage.online({ random: () => 1 });
    stage.clock.advance(PING_MS);
    assert.deepEqual(await peer.frame(), { type: "ping" });
    const heard = until(room, "x");
    peer.send({ type: "pong" });
    peer.send({ type: "x" });
    await heard;
    stage.clock.advance(2 * PING_MS);
    assert.equal(room.state, "online");
    stage.clock.advance(PING_MS);
    assert.equal(room.state, "waiting");
    await peer.gone;
  },

  async a_host_that_says_nothing_is_left(stage) {
    const room = stage.client({ random: () => 1 }), peer = await stage.peer();
    stage.clock.advance(9_999);
    assert.equal(room.state, "connecting");
    stage.clock.advance(1);
    assert.equal(room.state, "waiting");
    await peer.gone;
  },

  async reopen_takes_a_new_grant_and_goes_on(stage) {
    const { room, peer } = await stage.online();
    const published = room.publish({ type: "chat" });
    const frame = await peer.frame();
    room.reopen();
    await peer.gone;
    const second = await stage.peer();
    assert.deepEqual([second.protocols[1], second.query.epoch], ["bearer.token-2", "1-a"]);
    second.welcome({ recovered: true });
    assert.deepEqual(await second.ack(), frame);
    await published;
  },

  async close_says_leave(stage) {
    const { room, peer } = await stage.online();
    const history = failure(room.history());
    await peer.frame();
    room.close();
    assert.deepEqual(await peer.frame(), { type: "leave" });
    await peer.gone;
    assert.equal((await history).code, "closed");
    room.reopen();
    assert.deepEqual([room.state, stage.clock.timers.size, stage.grants], ["closed", 0, 1]);
  },
};

/** The next frame of a type. */
async function next(peer, type) {
  let frame;
  do frame = await peer.frame(); while (frame.type !== type);
  return frame;
}

/** Everything that is ready has run. */
const turn = () => new Promise((resolve) => setImmediate(resolve));

const stage = await Stage.open();
try {
  await scenarios[process.argv[2]](stage);
} finally {
  stage.close();
}
console.log("ok");
process.exit(0);
