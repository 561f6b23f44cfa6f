// A Matrix client made of matrix-js-sdk, driven by JSON lines on standard input; the protocol is that of
// ../python/driver.py. It behaves as an application would: it starts the SDK's own sync loop, resends events that the
// SDK marked as not sent, and scrolls back over a gap in the timeline.

import readline from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import {
    ClientEvent,
    EventTimeline,
    EventType,
    PendingEventOrdering,
    createClient,
} from "matrix-js-sdk";
import { logger } from "matrix-js-sdk/lib/logger.js";

const RETRY_MS = 200;
const PAGE_EVENTS = 100;
const ONLINE_ATTEMPTS = 10;

// Standard output belongs to the protocol.
for (const level of ["log", "info", "debug", "trace", "warn", "error"]) {
    console[level] = (...parts) => process.stderr.write(`${level}: ${parts.map(String).join(" ")}\n`);
}
logger.setLevel("error");

const emit = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const log = (text) => emit({ event: "log", text });

/** One signed-in client and how far its timelines were reported. */
class Driver {
    constructor(baseUrl) {
        this.baseUrl = baseUrl;
        this.reported = new Map();
        this.collecting = Promise.resolve();
    }

    async register({ username, password }) {
        const auth = { type: "m.login.dummy" };
        return this.signedIn(await createClient({ baseUrl: this.baseUrl }).registerRequest({ username, password, auth }));
    }

    async login({ username, password }) {
        const identifier = { type: "m.id.user", user: username };
        const request = { type: "m.login.password", identifier, password };
        return this.signedIn(await createClient({ baseUrl: this.baseUrl }).loginRequest(request));
    }

    signedIn({ user_id: userId, access_token: accessToken, device_id: deviceId }) {
        // Old timelines are kept over a gap, as by applications that let people scroll back.
        const timelineSupport = true;
        this.client = createClient({ baseUrl: this.baseUrl, userId, accessToken, deviceId, timelineSupport });
        this.client.on(ClientEvent.Sync, () => this.collect());
        return { user_id: userId, device_id: deviceId };
    }

    async create_room({ invite }) {
        return this.client.createRoom({ name: "Two people", invite });
    }

    async invite({ room_id: roomId, user_id: userId }) {
        await this.client.invite(roomId, userId);
    }

    async join({ room_id: roomId }) {
        await this.client.joinRoom(roomId);
    }

    async start_sync() {
        await this.client.startClient({
            initialSyncLimit: 20,
            lazyLoadMembers: true,
            pendingEventOrdering: PendingEventOrdering.Detached,
        });
    }

    async send({ room_id: roomId, prefix, first, count }) {
        void this.sendAll(roomId, prefix, first, first + count);
    }

    /** The network came back: an application tells the SDK, which then does not wait out its delay. */
    async online() {
        void this.retry();
    }

    /** Tells it for some seconds: the SDK heeds it only once it has noticed that the connection was lost. */
    async retry() {
        for (let attempt = 0; attempt < ONLINE_ATTEMPTS && !this.client.retryImmediately(); attempt += 1) {
            await sleep(RETRY_MS);
        }
    }

    async sendAll(roomId, prefix, first, end) {
        while (!this.client.getRoom(roomId)) await sleep(RETRY_MS);
        for (let number = first; number < end; number += 1) {
            const body = `${prefix}${number}`;
            const eventId = await this.sendOne(this.client.getRoom(roomId), body);
            emit({ event: "sent", body, event_id: eventId });
        }
    }

    async sendOne(room, body) {
        const txnId = this.client.makeTxnId();
        let attempt = this.client.sendMessage(room.roomId, { msgtype: "m.text", body }, txnId);
        for (;;) {
            try {
                return (await attempt).event_id;
            } catch (error) {
                log(`send of ${body} failed: ${error?.message}`);
            }
            await sleep(RETRY_MS);
            const event = room.getPendingEvents().find((pending) => pending.getTxnId() === txnId);
            // No longer pending: its echo came by sync, so the server has it.
            if (!event) return timeline(room).find((echo) => echo.getContent().body === body)?.getId();
            attempt = this.resend(event, room);
        }
    }

    /** Sends an event that the SDK gave up again, under its old transaction id. */
    async resend(event, room) {
        return this.client.resendEvent(event, room);
    }

    collect() {
        this.collecting = this.collecting.then(async () => {
            for (const room of this.client.getRooms()) {
                if (room.getMyMembership() === "join") await this.collectRoom(room);
            }
        });
    }

    /** Reports what came after the last reported event, paging back where the timeline has a gap before it. */
    async collectRoom(room) {
        const last = this.reported.get(room.roomId);
        while (!timeline(room).some((event) => event.getId() === last) && (await this.pageBack(room)));
        const events = timeline(room);
        const fresh = events.slice(events.findIndex((event) => event.getId() === last) + 1);
        fresh.filter((event) => event.getType() === EventType.RoomMessage).forEach((event) => report(room, event));
        if (fresh.length > 0) this.reported.set(room.roomId, fresh.at(-1).getId());
    }

    /** Asks for one more page before the live timeline; false when there is none. */
    async pageBack(room) {
        const live = room.getLiveTimeline();
        if (live.getPaginationToken(EventTimeline.BACKWARDS) === null) return false;
        try {
            const more = await this.client.paginateEventTimeline(live, { backwards: true, limit: PAGE_EVENTS });
            // A sync meanwhile may have begun a new timeline, which has its own gap.
            return more || room.getLiveTimeline() !== live;
        } catch (error) {
            log(`page back failed: ${error?.message}`);
            await sleep(RETRY_MS);
            return true;
        }
    }
}

/** All events of the live timeline and of those joined to its start, oldest first. */
function timeline(room) {
    const events = [];
    for (let part = room.getLiveTimeline(); part; part = part.getNeighbouringTimeline(EventTimeline.BACKWARDS)) {
        events.unshift(...part.getEvents());
    }
    return events;
}

function report(room, event) {
    emit({
        event: "message",
        room_id: room.roomId,
        event_id: event.getId(),
        sender: event.getSender(),
        body: event.getContent().body,
    });
}

const COMMANDS = new Set(["register", "login", "create_room", "invite", "join", "start_sync", "send", "online"]);

/** Carries out one command and answers it. */
async function answer(driver, line) {
    const { id, cmd, ...parameters } = JSON.parse(line);
    try {
        if (!COMMANDS.has(cmd)) throw new Error(`no command ${cmd}`);
        emit({ id, ok: (await driver[cmd](parameters)) ?? null });
    } catch (error) {
        emit({ id, error: String(error?.stack ?? error) });
    }
}

const driver = new Driver(process.argv[2]);
for await (const line of readline.createInterface({ input: process.stdin })) {
    await answer(driver, line);
}
process.exit(0);
