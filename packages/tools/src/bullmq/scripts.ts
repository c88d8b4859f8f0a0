// What is done in Redis in one step each, as Lua. Every script may run twice with the same arguments, as it does when its answer
// is lost with the connection, and changes nothing the second time.
//
// Of a job there are three keys. `state`, a hash: the job, what became of it, and the fence: a word that only the present try
// knows. `log`, a stream: the event at place n has the id n+1. `told`, a stream of messages.

/** A script, with how many keys it takes. */
export interface RedisScript {
  readonly keys: number;
  readonly lua: string;
}

/** KEYS state. ARGV job, keepMs, maxIdleMs. Gives `new`, `known` or `over`. */
export const submitScript: RedisScript = {
  keys: 1,
  lua: `
if redis.call("EXISTS", KEYS[1]) == 1 then
  if redis.call("HEXISTS", KEYS[1], "over") == 1 then return "over" end
  return "known"
end
redis.call("HSET", KEYS[1], "job", ARGV[1], "keep", ARGV[2], "idle", ARGV[3],
  "created", redis.call("TIME")[1], "count", 0, "chars", 0, "attempt", 0, "spent", 0)
redis.call("PEXPIRE", KEYS[1], ARGV[3])
return "new"`,
};

/** Keeps the keys of a job alive: `idle` while it is under way. Part of other scripts, with KEYS state, log, told. */
const refresh = `
local function refresh(field)
  local ms = redis.call("HGET", KEYS[1], field)
  for i = 1, 3 do redis.call("PEXPIRE", KEYS[i], ms) end
end`;

/** KEYS state, log, told, lock of BullMQ. ARGV token of the lock, fence. Begins a try, unless the lock is another's. */
export const beginScript: RedisScript = {
  keys: 4,
  lua: `${refresh}
if redis.call("EXISTS", KEYS[1]) == 0 then return {"forgotten"} end
if redis.call("HEXISTS", KEYS[1], "over") == 1 then return {"over"} end
if redis.call("GET", KEYS[4]) ~= ARGV[1] then return {"fenced"} end
if redis.call("HGET", KEYS[1], "fence") ~= ARGV[2] then
  redis.call("HSET", KEYS[1], "fence", ARGV[2])
  redis.call("HINCRBY", KEYS[1], "attempt", 1)
  redis.call("HINCRBY", KEYS[1], "spent", 1)
end
refresh("idle")
local state = redis.call("HMGET", KEYS[1], "attempt", "spent", "count", "chars", "job")
return {"begun", state[1], state[2], state[3], state[4], state[5]}`,
};

/** KEYS state. ARGV fence. A try that was given back for no fault of its own does not count. */
export const giveBackScript: RedisScript = {
  keys: 1,
  lua: `
if redis.call("HGET", KEYS[1], "fence") ~= ARGV[1] then return "fenced" end
redis.call("HDEL", KEYS[1], "fence")
redis.call("HINCRBY", KEYS[1], "spent", -1)
return "done"`,
};

/** Appends to the log, and when it is the end lets the keys live for `keep` only. */
const put = `${refresh}
local function put(event, chars, isEnd)
  local place = redis.call("HINCRBY", KEYS[1], "count", 1)
  redis.call("XADD", KEYS[2], place .. "-0", "event", event)
  redis.call("HINCRBY", KEYS[1], "chars", chars)
  if isEnd then
    redis.call("HSET", KEYS[1], "over", 1)
    redis.call("HDEL", KEYS[1], "job", "fence")
    redis.call("DEL", KEYS[3])
    refresh("keep")
  else
    refresh("idle")
  end
  redis.call("PUBLISH", KEYS[4], place)
end`;

/**
 * KEYS state, log, told, channel of the log. ARGV fence, place, event, its length in characters, 1 if it is the end, most
 * events, most characters. A place that is taken was taken by this very append before its answer was lost.
 */
export const appendScript: RedisScript = {
  keys: 4,
  lua: `${put}
if redis.call("EXISTS", KEYS[1]) == 0 then return "forgotten" end
local state = redis.call("HMGET", KEYS[1], "fence", "count", "chars", "over", "closing")
local count = tonumber(state[2])
local place = tonumber(ARGV[2])
local isEnd = ARGV[5] == "1"
if state[4] then
  if state[5] == ARGV[1] and place < count then return "kept" end
  return "over"
end
if state[1] ~= ARGV[1] then return "fenced" end
if place < count then return "kept" end
if place > count then return "hole" end
if not isEnd and (count >= tonumber(ARGV[6]) or tonumber(state[3]) + tonumber(ARGV[4]) > tonumber(ARGV[7])) then
  return "full"
end
if isEnd then redis.call("HSET", KEYS[1], "closing", ARGV[1]) end
put(ARGV[3], ARGV[4], isEnd)
return "kept"`,
};

/** KEYS state, log. ARGV first id, most events. Gives whether it is over, its length, and entries; nothing if it is unknown. */
export const readScript: RedisScript = {
  keys: 2,
  lua: `
local state = redis.call("HMGET", KEYS[1], "over", "count")
if not state[2] then return {} end
return {state[1] or "0", state[2], redis.call("XRANGE", KEYS[2], ARGV[1], "+", "COUNT", ARGV[2])}`,
};

/** KEYS state, told, channel of messages. ARGV message, most messages. Gives `told`, `unheard` or `full`. */
export const sendScript: RedisScript = {
  keys: 3,
  lua: `
local state = redis.call("HMGET", KEYS[1], "idle", "over")
if not state[1] or state[2] then return "unheard" end
if redis.call("XLEN", KEYS[2]) >= tonumber(ARGV[2]) then return "full" end
redis.call("XADD", KEYS[2], "*", "message", ARGV[1])
redis.call("PEXPIRE", KEYS[2], state[1])
redis.call("PUBLISH", KEYS[3], "")
return "told"`,
};

/** KEYS state, log, told. ARGV fence, id of the last message that was heard. Gives how the try stands, and what is new. */
export const hearScript: RedisScript = {
  keys: 3,
  lua: `${refresh}
local state = redis.call("HMGET", KEYS[1], "fence", "over", "count")
if not state[3] then return {"forgotten"} end
if state[2] then return {"over"} end
if state[1] ~= ARGV[1] then return {"fenced"} end
refresh("idle")
return {"going", redis.call("XRANGE", KEYS[3], "(" .. ARGV[2], "+", "COUNT", 100)}`,
};

/**
 * KEYS state, log, told, channel of the log, job of BullMQ. ARGV event, its length, seconds that a job may be on its way into
 * the queue. Ends a job that BullMQ no longer has: removed by hand, or failed by workers that are not ours.
 */
export const abandonScript: RedisScript = {
  keys: 5,
  lua: `${put}
local state = redis.call("HMGET", KEYS[1], "created", "over")
if not state[1] or state[2] then return "over" end
if redis.call("EXISTS", KEYS[5]) == 1 and redis.call("HEXISTS", KEYS[5], "finishedOn") == 0 then return "going" end
if tonumber(redis.call("TIME")[1]) - tonumber(state[1]) < tonumber(ARGV[3]) then return "going" end
put(ARGV[1], ARGV[2], true)
return "over"`,
};
