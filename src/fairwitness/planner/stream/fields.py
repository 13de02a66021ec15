"""`plan stream`: what it takes, and what it gives. Defaults are this project's own measurements."""

from fairwitness.planner.fields import Field, Output, Word

_OURS = "assumed"
_MEASURED = "docs/index.md, measured at 713aa16 on two cores"

FIELDS = (
    Word("bench", "JSON of `fairwitness bench index --json`; wins over the defaults it measures."),
    Field(
        "incoming",
        "post/s",
        "Posts that come in.",
        "500 Mpost/day",
        "X, as reported: 5,787 a second",
    ),
    Field("peak", "", "Busiest hour over the mean.", "1.5..2.5", _OURS, least=1),
    Field("retention", "year", "How long posts are kept.", "5.5 years", "a trillion at that rate"),
    Field("asked", "query/s", "Questions.", "1000 query/s", _OURS, zero=True),
    Field("deep", "", "Questions over all posts.", "0.1..1 %", _OURS, most=1, zero=True),
    Field("hot", "year", "The time that the other questions are over.", "7 days", _OURS),
    Field("shard", "post", "Posts of a shard.", "20M", "the largest home that is benched"),
    Field("replicas", "", "Copies of the index.", "2", _OURS, whole=True),
    Field("log_replicas", "", "Copies of the log.", "3", "NATS JetStream, R3", whole=True),
    Field("write", "s/post", "Processor time to take in a post.", "69 us/post", _MEASURED),
    Field("ask", "s/query", "Of a question to an empty shard.", "3..5 ms/query", _MEASURED),
    Field(
        "ask_growth",
        "s/post",
        "What each post of a shard adds to a question.",
        "3..15 ns/post",
        "32 bytes of code at 10.7 GB/s are 3 ns; words and ranking add, assumed",
        zero=True,
    ),
    Field("index_size", "byte/post", "In the index, on disk.", "220..299 byte/post", _MEASURED),
    Field("log_size", "byte/post", "In the log.", "96 byte/post", _MEASURED),
    Field(
        "hot_size",
        "byte/post",
        "In memory: columns, marks, codes, ids.",
        "91..150 byte/post",
        "45 + 6 + 32 + 8 bytes, docs/index.md; above: words, assumed",
    ),
    Field("line_size", "byte/post", "On the wire.", "489 byte/post", _MEASURED),
    Field("hits_size", "byte/query", "What a shard answers.", "2..6 kB/query", _OURS),
    Field("load", "", "How full a processor may be at the peak.", "50..70 %", _OURS, most=1),
    Field("cores", "", "Of a machine.", "64", _OURS, whole=True),
    Field("memory", "byte", "Of a machine.", "512 GB", _OURS),
    Field("disk", "byte", "Of a machine.", "30 TB", _OURS),
    Field("line", "byte/s", "Of a machine.", "25 Gbit/s", _OURS, bits=True),
    Field("price", "USD/machine/h", "A machine.", "1.5..4 USD/h", _OURS),
)

OUTPUTS = (
    Output("kept", "post", "posts kept"),
    Output("shards", "", "shards, without copies"),
    Output("shard_time", "s", "a question to a full shard, one core"),
    Output("write_cores", "", "cores that take in posts"),
    Output("query_cores", "", "cores that answer"),
    Output("deep_cost", "s", "processor time of a question over everything"),
    Output("memory", "byte", "memory of the hot shards"),
    Output("disk", "byte", "disk, log included"),
    Output("log", "byte", "log"),
    Output("network", "byte/s", "network at the peak"),
    Output("machines", "machine", "machines", swings=True),
    Output("cost", "USD/month", "all machines", swings=True),
    Output("post_cost", "USD/month", "a billion posts kept"),
)
