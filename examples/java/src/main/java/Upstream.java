import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

// An upstream of Notes on kafka-clients: sends commands, waits for the outcome of each, and reads events.
//   Upstream send COMMANDS.jsonl   lines of {"id": …, "type": …, "data": …}; COMMANDS.jsonl.outcomes is the journal
//   Upstream read COUNT            the first COUNT events, as lines of JSON
public class Upstream {
    static final Map<String, String> SETTINGS = System.getenv();
    static final String KAFKA = SETTINGS.getOrDefault("NOTES_KAFKA", "localhost:9092");
    static final String COMMANDS = SETTINGS.getOrDefault("NOTES_TOPIC_COMMANDS", "notes.commands");
    static final String OUTCOMES = SETTINGS.getOrDefault("NOTES_TOPIC_OUTCOMES", "notes.command-outcomes");
    static final String EVENTS = SETTINGS.getOrDefault("NOTES_TOPIC_EVENTS", "notes.events");
    static final ObjectMapper JSON = new ObjectMapper();

    /** Reads all partitions of a topic and is no member of a group: nobody else takes its records. */
    static class Reader {
        final KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(
                Map.of("bootstrap.servers", KAFKA, "isolation.level", "read_committed"),
                new ByteArrayDeserializer(), new ByteArrayDeserializer());
        final Queue<ConsumerRecord<byte[], byte[]>> fetched = new ArrayDeque<>();

        Reader(String topic, boolean fromBeginning) {
            List<TopicPartition> partitions = consumer.partitionsFor(topic).stream()
                    .map(found -> new TopicPartition(topic, found.partition())).toList();
            consumer.assign(partitions);
            // Offsets are asked for now: what is sent from here on is seen, whatever happens.
            (fromBeginning ? consumer.beginningOffsets(partitions) : consumer.endOffsets(partitions))
                    .forEach(consumer::seek);
        }

        ConsumerRecord<byte[], byte[]> next(Instant deadline) throws IOException {
            while (fetched.isEmpty()) {
                if (Instant.now().isAfter(deadline)) {
                    throw new IOException("Nothing came. Run again: commands keep their ids");
                }
                consumer.poll(Duration.ofMillis(500)).forEach(fetched::add);
            }
            return fetched.poll();
        }
    }

    /** Puts a command on Kafka. Sending it twice does no harm: its id makes the second one a repeat. */
    static void send(KafkaProducer<String, String> producer, JsonNode command) throws Exception {
        JsonNode data = command.get("data");
        String key = data.get("note_id").asText().toLowerCase(); // one note, one key: its commands keep their order
        var record = new ProducerRecord<>(COMMANDS, key, JSON.writeValueAsString(data));
        record.headers().add("ce_id", command.get("id").asText().getBytes(UTF_8));
        record.headers().add("ce_type", command.get("type").asText().getBytes(UTF_8));
        record.headers().add("ce_source", "/examples/java".getBytes(UTF_8));
        producer.send(record).get();
    }

    /** The one outcome of a command. */
    static JsonNode outcomeOf(Reader outcomes, String id) throws IOException {
        JsonNode outcome;
        Instant deadline = Instant.now().plusSeconds(60);
        do {
            outcome = JSON.readTree(outcomes.next(deadline).value());
        } while (!outcome.get("command_id").asText().equals(id));
        return outcome;
    }

    /** Sends what has no outcome in the journal, one after the other; after a crash it is simply run again. */
    static int sendAll(Path path) throws Exception {
        Map<String, JsonNode> known = new HashMap<>();
        int status = 0;
        // Idempotence and acks=all are the defaults, and the default partitioner is murmur2.
        try (var journal = new RandomAccessFile(path + ".outcomes", "rwd"); // d: on disk when write returns
                var producer = new KafkaProducer<>(Map.<String, Object>of("bootstrap.servers", KAFKA),
                        new StringSerializer(), new StringSerializer())) {
            String whole = new String(Files.readAllBytes(Path.of(path + ".outcomes")), UTF_8);
            whole = whole.substring(0, whole.lastIndexOf('\n') + 1); // a line that is torn counts for nothing
            for (String line : whole.lines().toList()) {
                known.put(JSON.readTree(line).get("command_id").asText(), JSON.readTree(line));
            }
            journal.setLength(whole.getBytes(UTF_8).length);
            journal.seek(journal.length());
            Reader outcomes = new Reader(OUTCOMES, false); // before anything is sent, so that no outcome is missed
            for (String line : Files.readAllLines(path)) {
                JsonNode command = JSON.readTree(line);
                String id = command.get("id").asText();
                if (!known.containsKey(id)) {
                    send(producer, command);
                    known.put(id, outcomeOf(outcomes, id));
                    journal.write((known.get(id) + "\n").getBytes(UTF_8));
                }
                status |= report(known.get(id));
            }
        }
        return status;
    }

    /** Says what came of a command. This is where an upstream decides what to do. */
    static int report(JsonNode outcome) {
        String status = outcome.get("status").asText(), result = outcome.get("command_id").asText() + " " + status;
        if (status.equals("accepted")) {
            System.out.println(result + " " + outcome.get("version"));
            return 0;
        }
        // rejected: final for this id; look at the note, decide again, send that with a new id.
        // failed: our bug or that of Notes; it lies among the dead letters, from where Notes can send it again.
        String code = outcome.at("/error/code").asText(), message = outcome.at("/error/message").asText();
        System.out.println(result + " " + code + " " + message);
        return 1;
    }

    /** Prints the first events. `new` is false for a repeat, and for a snapshot of what is known. */
    static int read(int count) throws IOException {
        Map<String, Long> versions = new HashMap<>();
        Reader events = new Reader(EVENTS, true);
        Instant deadline = Instant.now().plusSeconds(60);
        for (; count > 0; count--) {
            var record = events.next(deadline);
            JsonNode event = JSON.readTree(record.value()); // fields and types that are new are ignored
            long version = event.get("version").asLong();
            boolean fresh = version > versions.getOrDefault(event.get("note_id").asText(), 0L);
            versions.merge(event.get("note_id").asText(), version, Math::max);
            String type = new String(record.headers().lastHeader("ce_type").value(), UTF_8);
            System.out.println(JSON.writeValueAsString(Map.of("type", type, "new", fresh, "data", event)));
        }
        return 0;
    }

    public static void main(String[] arguments) throws Exception {
        String to = arguments[1];
        System.exit(arguments[0].equals("send") ? sendAll(Path.of(to)) : read(Integer.parseInt(to)));
    }
}
