//! Limits and times in the pages are those of the source: each constant is read where it is defined, and looked for where a
//! page says it.

use std::path::Path;

/// What a page says of a constant, `{}` being its value: file, constant, page, sentence.
const SAID: [(&str, &str, &str, &str); 62] = [
    ("src/surface/tables.rs", "RETRY", "provisioning.md", "tries again every {} seconds"),
    ("src/surface/tables.rs", "MOST_NAMED", "provisioning.md", "The log names the first {} of them"),
    ("src/surface/rpc/tables.rs", "PATIENCE", "rpc.md", "waits for it, {} seconds at most"),
    ("src/config/unsolicited.rs", "MOST_SOURCES", "parameters.md", "at most {} addresses and networks"),
    ("src/config/unsolicited.rs", "SHORTEST", "parameters.md", "or its value of {} to"),
    ("src/config/unsolicited.rs", "LONGEST", "parameters.md", "to {} seconds, may be omitted"),
    ("src/surface/rpc/parameters.rs", "PAGE", "rpc.md", "{} unless given"),
    ("src/surface/rpc/parameters.rs", "LARGEST_PAGE", "rpc.md", "*limit* rows (1 to {};"),
    ("src/surface/rpc/walks.rs", "MOST_LOOKED_AT", "rpc.md", "One call looks at {} subscriptions"),
    ("src/registry/walk.rs", "PIECE", "rpc.md", "no lock for more than {} of them"),
    ("src/host/rpc.rs", "FULL", "rpc.md", "after the row that reaches {} bytes"),
    ("src/qsa/wanted.rs", "MOST_URI", "rpc.md", "Record and subscriber have at most {} bytes each"),
    ("src/qsa/wanted.rs", "MOST_PACKAGE", "rpc.md", "bytes each, the package {}"),
    ("src/qsa/wanted.rs", "MOST_PARAM", "rpc.md", "and the options {}."),
    ("src/lookup.rs", "MOST_NAMES", "rpc.md", "There are at most {}; names"),
    ("src/lookup.rs", "MOST_WAITING", "operations.md", "{} SUBSCRIBEs may be in the line"),
    ("src/lookup.rs", "QUICK", "operations.md", "*quick*: its newest lookup took at most {} milliseconds"),
    ("src/lookup.rs", "QUICK", "rpc.md", "took at most {} milliseconds"),
    ("src/engine/turns.rs", "MOST_LINES", "operations.md", "at most {} such lines a second"),
    ("src/config.rs", "USUAL_BODY", "parameters.md", "Range: 1024 to 16777216. Default: {}"),
    ("src/host/limits.rs", "DATAGRAM", "parameters.md", "| UDP | {} bytes |"),
    ("src/surface/subscriptions.rs", "MOST_CREDENTIAL", "functions.md", "*password*: at most {} bytes"),
    ("src/calls.rs", "MOST_CALLS", "local-users.md", "A user has at most {} calls"),
    ("src/calls.rs", "MOST_CALLS", "safety.md", "| {} of one user;"),
    ("src/notifier/calls.rs", "MOST_URI", "safety.md", "A URI, Contact or Call-ID has {} bytes"),
    ("src/notifier/calls.rs", "MOST_WORD", "safety.md", "a tag or display name {}."),
    ("src/config/filter.rs", "LARGEST", "parameters.md", "a regular file of at most {} bytes"),
    ("src/subscription/options.rs", "LONGEST", "options.md", "1 to {}"),
    ("src/subscription/options.rs", "LONGEST_FETCH", "options.md", "1 to {}"),
    ("src/subscription/options.rs", "MOST_TOKEN", "options.md", "a token of at most {} bytes"),
    ("src/subscription/digest.rs", "MOST_REALMS", "authentication.md", "more than {} realms"),
    ("src/subscription/digest.rs", "MOST_ANSWERS", "authentication.md", "or {} challenges"),
    ("src/subscription/digest.rs", "MOST_STALES", "authentication.md", "up to {} times for one SUBSCRIBE"),
    ("src/subscription/digest/challenge.rs", "MOST_BYTES", "authentication.md", "more than {kB}, a realm"),
    ("src/subscription/digest/challenge.rs", "MOST_REALM", "authentication.md", "a realm of more than {} bytes"),
    ("src/subscription/digest/challenge.rs", "MOST_NONCE", "authentication.md", "a nonce or opaque of more than {kB}"),
    ("src/document/rlmi.rs", "MOST_URI", "lists.md", "or with one of more than {} bytes"),
    ("src/document/list.rs", "MOST_LISTS", "lists.md", "more than {} lists inside one another"),
    ("src/document/list.rs", "MOST_LISTS", "operations.md", "more than {} lists inside one another"),
    ("src/document/list.rs", "MOST_TOLD", "lists.md", "more than {} times the size of the body"),
    ("src/document/multipart.rs", "MOST_PARTS", "lists.md", "| Parts of one body | {} | 400 |"),
    ("src/config.rs", "USUAL_BODY", "lists.md", "{kB} are about 600 resources"),
    ("src/lists/roster.rs", "MOST_RESOURCES", "lists.md", "remembered for one subscription | {}, and"),
    ("src/lists/roster.rs", "MOST_BYTES", "lists.md", "and {MB} of URIs"),
    ("src/lists/roster.rs", "MOST_LISTS", "lists.md", "Lists of one subscription that are remembered | {} |"),
    ("src/engine/tellings.rs", "TURN", "lists.md", "A worker tells {} resources of a list"),
    ("src/engine/lists.rs", "PAUSE", "lists.md", "every {} seconds at most"),
    ("src/engine/lists.rs", "PAUSE", "operations.md", "Logged every {} seconds at most"),
    ("src/registrations/entry.rs", "MOST_NOTED", "local-users.md", "If more than {} contacts of a user"),
    ("src/registrations/entry.rs", "MOST_NOTED", "safety.md", "{} contacts that are gone"),
    ("src/registrations/entry.rs", "MOST_BYTES", "safety.md", "with {kB} of texts"),
    ("src/engine/publish.rs", "RETRY", "publishing.md", "tries again after {} seconds"),
    ("src/engine/lack.rs", "PAUSE", "operations.md", "Each kind is logged every {} seconds at most"),
    ("src/config/policy.rs", "RESTORE_SPAN", "operations.md", "What is overdue leaves within {} seconds"),
    ("src/config/policy.rs", "SAVE_PATIENCE", "operations.md", "A first SUBSCRIBE waits for {} seconds at most"),
    (
        "src/store/outbox/outcome.rs",
        "LONGEST_PAUSE",
        "operations.md",
        "The module tries again every {} seconds at most",
    ),
    ("src/store/cseq.rs", "HEADROOM", "operations.md", "the newest SUBSCRIBE and {} more"),
    ("src/store/cseq.rs", "SKIPPED_A_SECOND", "operations.md", "and {} further for each second"),
    ("src/engine/store/writer.rs", "LAST_WRITES", "operations.md", "It writes the rest, for {} seconds at most"),
    ("src/engine/store/writer.rs", "SEEN", "operations.md", "one for the heartbeat every {} seconds"),
    ("tests/bench/bodies/main.rs", "TIMES", "performance.md", "before and after {} readings of a body"),
    ("tests/bench/cases/states.rs", "WRITERS", "performance.md", "while {} workers take NOTIFYs"),
];

const WORDS: [&str; 13] =
    ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"];

fn text_of(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The value of `const <name>: … = …;`, a product of numbers, a number of bits further left, or a duration of one.
fn constant(file: &str, name: &str) -> u64 {
    let text = text_of(file);
    let (_, rest) = text.split_once(&format!("const {name}: ")).unwrap_or_else(|| panic!("{file} has no {name}"));
    let (_, rest) = rest.split_once(" = ").unwrap_or_else(|| panic!("{name} has no value"));
    let (value, _) = rest.split_once(';').unwrap_or_else(|| panic!("{name} has no end"));
    let factor = |text: &str| -> u64 {
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        digits.parse().unwrap_or_else(|_| panic!("{file}: {name} is {value}, which is no number"))
    };
    match value.split_once(" << ") {
        Some((number, bits)) => factor(number) << factor(bits),
        None => value.split(" * ").map(factor).product(),
    }
}

/// The page in one line, or `false` when it does not say this.
fn says(page: &str, sentence: &str, value: u64) -> bool {
    let text = text_of(&format!("docs/{page}")).split_whitespace().collect::<Vec<_>>().join(" ");
    let (kilo, mega) = (format!("{} kB", value / 1024), format!("{} MB", value >> 20));
    let mut written = vec![value.to_string()];
    if value >= 1000 {
        written.push(format!("{},{:03}", value / 1000, value % 1000));
    }
    written.extend(usize::try_from(value).ok().and_then(|value| WORDS.get(value)).map(|word| (*word).to_owned()));
    written
        .iter()
        .any(|value| text.contains(&sentence.replace("{kB}", &kilo).replace("{MB}", &mega).replace("{}", value)))
}

#[test]
fn the_pages_say_the_numbers_of_the_source() {
    let wrong: Vec<String> = SAID
        .iter()
        .map(|&(file, name, page, sentence)| (constant(file, name), name, page, sentence))
        .filter(|&(value, _, page, sentence)| !says(page, sentence, value))
        .map(|(value, name, page, sentence)| format!("{name} is {value}, but {page} does not say \"{sentence}\""))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_room_for_destinations_is_that_of_all_shards() {
    let most = (1 << constant("src/gate.rs", "SHARD_BITS")) * constant("src/gate/table.rs", "MOST_ENTRIES");
    assert!(says("operations.md", "The module remembers {} destinations", most), "{most}");
    assert!(says("rpc.md", "There are at most {}; those", most), "{most}");
}

/// A number that has changed on one side only is noticed.
#[test]
fn another_number_is_not_found() {
    for &(file, name, page, sentence) in
        SAID.iter().filter(|(.., sentence)| !sentence.contains("kB}") && !sentence.contains("{MB}"))
    {
        assert!(!says(page, sentence, constant(file, name) + 1), "{page}: {sentence}");
    }
}
