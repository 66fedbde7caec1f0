/**
 * An upstream of Notes on @platformatic/kafka: sends commands, waits for the outcome of each, and reads events.
 *
 *   upstream send COMMANDS.jsonl   lines of {"id": …, "type": …, "data": …}; COMMANDS.jsonl.outcomes is the journal
 *   upstream read COUNT            the first COUNT events, as lines of JSON
 */
import { randomUUID } from 'node:crypto'
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, truncateSync, writeSync } from 'node:fs'
import {
  compatibilityPartitioner, Consumer, Producer, stringDeserializers, stringSerializers
} from '@platformatic/kafka'

// The client needs this, and Node 20 has it not; from Node 22 on these lines can go.
if (!('withResolvers' in Promise)) {
  const withResolvers = () => {
    let settle = {}
    const promise = new Promise((resolve, reject) => { settle = { resolve, reject } })
    return { promise, ...settle }
  }
  Object.assign(Promise, { withResolvers })
}

interface Command { id: string, type: string, data: { note_id: string } }
interface Outcome {
  command_id: string
  status: 'accepted' | 'rejected' | 'failed'
  version: number | null
  error: { code: string, message: string } | null
}
interface Event { note_id: string, version: number } // fields and types that are new are ignored

const bootstrapBrokers = (process.env.NOTES_KAFKA ?? 'localhost:9092').split(',')
const COMMANDS = process.env.NOTES_TOPIC_COMMANDS ?? 'notes.commands'
const OUTCOMES = process.env.NOTES_TOPIC_OUTCOMES ?? 'notes.command-outcomes'
const EVENTS = process.env.NOTES_TOPIC_EVENTS ?? 'notes.events'
const WAIT_MS = 60_000
const EARLIEST = -2n, LATEST = -1n
const again = 'Run again: commands keep their ids, so none is carried out twice'

/** Read all partitions of a topic in a group of its own: nobody else takes its records. */
async function reader (topic: string, from: bigint) {
  const options = { bootstrapBrokers, clientId: 'upstream', groupId: `upstream-${randomUUID()}` }
  const consumer = new Consumer({ ...options, deserializers: stringDeserializers })
  // Offsets are asked for now: what is sent from here on is seen, whatever happens.
  const found = (await consumer.listOffsets({ topics: [topic], timestamp: from })).get(topic)!
  const offsets = found.map((offset, partition) => ({ topic, partition, offset }))
  const stream = await consumer.consume({ topics: [topic], mode: 'manual', offsets, autocommit: false })
  return { records: stream[Symbol.asyncIterator](), close: () => consumer.close(true) }
}
type Reader = Awaited<ReturnType<typeof reader>>

/** What is waited for; ends the process if it does not come in time. */
async function inTime<T> (awaited: Promise<T>): Promise<T> {
  const timer = setTimeout(() => {
    console.error(`Nothing came. ${again}`)
    process.exit(3)
  }, WAIT_MS)
  return await awaited.finally(() => { clearTimeout(timer) })
}

/** Put a command on Kafka. Sending it twice does no harm: its id makes the second one a repeat. */
async function send (producer: Producer<string, string, string, string>, command: Command) {
  await producer.send({
    messages: [{
      topic: COMMANDS,
      key: command.data.note_id.toLowerCase(), // one note, one key, one partition: its commands keep their order
      value: JSON.stringify(command.data),
      headers: { ce_id: command.id, ce_type: command.type, ce_source: '/examples/typescript' }
    }]
  })
}

/** The one outcome of a command. */
async function outcomeOf (outcomes: Reader, id: string): Promise<Outcome> {
  for (;;) {
    const outcome: Outcome = JSON.parse((await outcomes.records.next()).value.value)
    if (outcome.command_id === id) return outcome
  }
}

/** Send what has no outcome in the journal, one after the other; after a crash it is simply run again. */
async function sendAll (path: string): Promise<number> {
  const journal = `${path}.outcomes`
  const written = existsSync(journal) ? readFileSync(journal) : Buffer.alloc(0)
  const whole = written.subarray(0, written.lastIndexOf('\n') + 1) // a line that is torn counts for nothing
  if (whole.length < written.length) truncateSync(journal, whole.length)
  const known = new Map<string, Outcome>()
  for (const outcome of lines<Outcome>(whole.toString())) known.set(outcome.command_id, outcome)

  const outcomes = await reader(OUTCOMES, LATEST) // before anything is sent, so that no outcome is missed
  // The default partitioner of this client is not Java's where partitions are no power of two; this one is.
  const options = { idempotent: true, acks: -1, partitioner: compatibilityPartitioner }
  const producer = new Producer({ bootstrapBrokers, clientId: 'upstream', serializers: stringSerializers, ...options })
  const file = openSync(journal, 'a')
  let status = 0
  for (const command of lines<Command>(readFileSync(path, 'utf8'))) {
    let outcome = known.get(command.id)
    if (outcome === undefined) {
      await send(producer, command)
      outcome = await inTime(outcomeOf(outcomes, command.id))
      known.set(command.id, outcome)
      writeSync(file, JSON.stringify(outcome) + '\n')
      fsyncSync(file)
    }
    status |= report(outcome)
  }
  closeSync(file)
  await producer.close()
  await outcomes.close()
  return status
}

/** Say what came of a command. This is where an upstream decides what to do. */
function report (outcome: Outcome): number {
  const { command_id: id, status, version, error } = outcome
  if (status === 'accepted') {
    console.log(id, status, version)
    return 0
  }
  // rejected: final for this id; look at the note, decide again, send that with a new id.
  // failed: our bug or that of Notes; it lies among the dead letters, from where Notes can send it again.
  console.log(id, status, error!.code, error!.message)
  return 1
}

/** Print the first events. `new` is false for a repeat, and for a snapshot of what is known. */
async function read (count: number): Promise<number> {
  const events = await reader(EVENTS, EARLIEST)
  const versions = new Map<string, number>()
  for (; count > 0; count--) {
    const { value: record } = await inTime(events.records.next())
    const event: Event = JSON.parse(record.value)
    const known = versions.get(event.note_id) ?? 0
    versions.set(event.note_id, Math.max(event.version, known))
    console.log(JSON.stringify({ type: record.headers.get('ce_type'), new: event.version > known, data: event }))
  }
  await events.close()
  return 0
}

function lines<T> (text: string): T[] {
  return text.split('\n').filter(line => line !== '').map(line => JSON.parse(line) as T)
}

const [what, argument] = process.argv.slice(2)
process.exit(await (what === 'send' ? sendAll(argument) : read(Number(argument))))
