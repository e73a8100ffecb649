import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.FileReader;
import java.io.IOException;
import java.io.Reader;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.Arrays;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Printed;
import org.apache.kafka.streams.kstream.Suppressed;
import org.apache.kafka.streams.kstream.Suppressed.BufferConfig;
import org.apache.kafka.streams.kstream.TimeWindows;

/**
 * The topology of the article's consumer, on the interfaces that Kafka Streams has today, with a faster JSON library.
 *
 * <p>Arguments: a properties file, topics with commas, the number of records, and how many groups they have. It prints
 * the milliseconds since the epoch of the first record and of the last that was reduced, then goes on until SIGTERM.
 */
public final class CalledServices {
    public static final class RestServiceCall {
        public String origin;
        public String destination;
        public String originVersion;
        public String comment;

        RestServiceCall emptyComment() {
            comment = "";
            return this;
        }

        String key() {
            return origin + ":" + originVersion + ":" + (destination == null ? "" : destination);
        }
    }

    private static final ObjectMapper MAPPER =
            new ObjectMapper().configure(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES, false);

    private static Serde<RestServiceCall> json() {
        return Serdes.serdeFrom(
                (topic, call) -> {
                    try {
                        return MAPPER.writeValueAsBytes(call);
                    } catch (IOException error) {
                        throw new UncheckedIOException(error);
                    }
                },
                (topic, bytes) -> {
                    try {
                        return MAPPER.readValue(bytes, RestServiceCall.class);
                    } catch (IOException error) {
                        throw new UncheckedIOException(error);
                    }
                });
    }

    public static void main(String[] arguments) throws Exception {
        Properties properties = new Properties();
        try (Reader file = new FileReader(arguments[0])) {
            properties.load(file);
        }
        // The first call of each group is not reduced.
        long expected = Long.parseLong(arguments[2]) - Long.parseLong(arguments[3]);
        AtomicLong begun = new AtomicLong();
        AtomicLong reduced = new AtomicLong();
        StreamsBuilder builder = new StreamsBuilder();
        builder.stream(Arrays.asList(arguments[1].split(",")), Consumed.with(Serdes.Integer(), json()))
                .groupBy(
                        (key, value) -> {
                            if (begun.get() == 0 && begun.compareAndSet(0, System.currentTimeMillis())) {
                                System.out.println("BEGUN " + begun.get());
                            }
                            return value.emptyComment().key();
                        },
                        Grouped.with(Serdes.String(), json()))
                .windowedBy(TimeWindows.ofSizeAndGrace(Duration.ofMinutes(5), Duration.ofMinutes(1)))
                .reduce(
                        (first, next) -> {
                            if (reduced.incrementAndGet() == expected) {
                                System.out.println("DONE " + System.currentTimeMillis());
                            }
                            return first;
                        })
                .suppress(Suppressed.untilWindowCloses(BufferConfig.unbounded()))
                .toStream()
                .print(Printed.toSysOut());
        KafkaStreams streams = new KafkaStreams(builder.build(), properties);
        CountDownLatch ended = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            streams.close(Duration.ofSeconds(30));
            System.out.flush();
            ended.countDown();
        }));
        streams.start();
        ended.await();
    }
}
