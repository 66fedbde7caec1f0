// An upstream of Notes on franz-go: sends commands, waits for the outcome of each, and reads events.
//
//	upstream send COMMANDS.jsonl   lines of {"id": …, "type": …, "data": …}; COMMANDS.jsonl.outcomes is the journal
//	upstream read COUNT            the first COUNT events, as lines of JSON
package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

type command struct {
	ID, Type string
	Data     json.RawMessage
}

type message struct { // of an outcome and of an event, the fields that are needed here; those not known are ignored
	CommandID string `json:"command_id"`
	NoteID    string `json:"note_id"`
	Status    string
	Version   int64
	Error     struct{ Code, Message string }
}

func must[T any](value T, err error) T {
	if err != nil {
		fmt.Fprintf(os.Stderr, "%v. Run it again: commands keep their ids, so none is carried out twice\n", err)
		os.Exit(3)
	}
	return value
}

func parse[T any](text []byte) (found T) { return must(found, json.Unmarshal(text, &found)) }

// connect makes a client that is no member of a group: nobody else takes its records.
// franz-go's partitioner for records with a key is murmur2, as Java's is.
func connect(options ...kgo.Opt) *kgo.Client {
	brokers := strings.Split(cmp.Or(os.Getenv("NOTES_KAFKA"), "localhost:9092"), ",")
	return must(kgo.NewClient(append(options, kgo.SeedBrokers(brokers...), kgo.FetchIsolationLevel(kgo.ReadCommitted()))...))
}

// send puts a command on Kafka. Sending it twice does no harm: its id makes the second one a repeat.
func send(ctx context.Context, kafka *kgo.Client, given command) error {
	return kafka.ProduceSync(ctx, &kgo.Record{
		Topic: cmp.Or(os.Getenv("NOTES_TOPIC_COMMANDS"), "notes.commands"),
		Key:   []byte(strings.ToLower(parse[message](given.Data).NoteID)), // one note, one key: its commands keep order
		Value: given.Data,
		Headers: []kgo.RecordHeader{
			{Key: "ce_id", Value: []byte(given.ID)},
			{Key: "ce_type", Value: []byte(given.Type)},
			{Key: "ce_source", Value: []byte("/examples/go")},
		},
	}).FirstErr()
}

// outcomeOf returns the one outcome of a command, as it was written.
func outcomeOf(ctx context.Context, outcomes *kgo.Client, id string) (found []byte, err error) {
	for found == nil && ctx.Err() == nil {
		outcomes.PollFetches(ctx).EachRecord(func(record *kgo.Record) {
			if parse[message](record.Value).CommandID == id {
				found = record.Value
			}
		})
	}
	return found, ctx.Err()
}

// sendAll sends what has no outcome in the journal, one after the other; after a crash it is simply run again.
func sendAll(path string) (status int) {
	known := map[string][]byte{}
	journal := must(os.OpenFile(path+".outcomes", os.O_APPEND|os.O_CREATE|os.O_RDWR, 0o600))
	written := must(os.ReadFile(journal.Name()))
	whole := bytes.LastIndexByte(written, '\n') + 1 // a line that is torn counts for nothing
	must(0, journal.Truncate(int64(whole)))
	for line := range bytes.Lines(written[:whole]) {
		known[parse[message](line).CommandID] = line
	}
	kafka, topic := connect(), cmp.Or(os.Getenv("NOTES_TOPIC_OUTCOMES"), "notes.command-outcomes")
	// The ends are asked for before anything is sent, so that no outcome is missed.
	ends := must(kadm.NewClient(kafka).ListEndOffsets(context.Background(), topic))
	outcomes := connect(kgo.ConsumePartitions(ends.KOffsets()))
	for line := range bytes.Lines(must(os.ReadFile(path))) {
		given := parse[command](line)
		if known[given.ID] == nil {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			must(0, send(ctx, kafka, given))
			known[given.ID] = must(outcomeOf(ctx, outcomes, given.ID))
			cancel()
			must(journal.Write(append(known[given.ID], '\n')))
			must(0, journal.Sync())
		}
		status |= report(parse[message](known[given.ID]))
	}
	return status
}

// report says what came of a command. This is where an upstream decides what to do.
func report(outcome message) int {
	if outcome.Status == "accepted" {
		fmt.Println(outcome.CommandID, outcome.Status, outcome.Version)
		return 0
	}
	// rejected: final for this id; look at the note, decide again, send that with a new id.
	// failed: our bug or that of Notes; it lies among the dead letters, from where Notes can send it again.
	fmt.Println(outcome.CommandID, outcome.Status, outcome.Error.Code, outcome.Error.Message)
	return 1
}

// read prints the first events. "new" is false for a repeat, and for a snapshot of what is known.
func read(count int) {
	topic, versions := cmp.Or(os.Getenv("NOTES_TOPIC_EVENTS"), "notes.events"), map[string]int64{}
	kafka := connect(kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for ; count > 0; must(0, ctx.Err()) {
		fetched := kafka.PollRecords(ctx, count)
		count -= fetched.NumRecords()
		fetched.EachRecord(func(record *kgo.Record) {
			event, headers := parse[message](record.Value), map[string]string{}
			for _, header := range record.Headers {
				headers[header.Key] = string(header.Value)
			}
			fresh := event.Version > versions[event.NoteID]
			versions[event.NoteID] = max(event.Version, versions[event.NoteID])
			line := map[string]any{"type": headers["ce_type"], "new": fresh, "data": json.RawMessage(record.Value)}
			must(0, json.NewEncoder(os.Stdout).Encode(line))
		})
	}
}

func main() {
	if os.Args[1] == "send" {
		os.Exit(sendAll(os.Args[2]))
	}
	read(parse[int]([]byte(os.Args[2])))
}
