// What bench tops repeat, written once (docs/bench.md). Every macro is a module item. They expect the ports clk_i, rst_ni,
// flush_i, cycle_o, quiet_o, and for a stream `name` the ports <name>_credit_i and, of a source, <name>_played_o.
`ifndef TS_BENCH_SVH
`define TS_BENCH_SVH

// The number of the cycle: `cycle_q`, and `cycle_o` for a test.
`define TS_CYCLE \
  logic [31:0] cycle_q; \
  initial cycle_q = 0; \
  always @(posedge clk_i) cycle_q <= cycle_q + 1; \
  assign cycle_o = cycle_q;

// A source of stream `name`, which gives <name>_payload of `bytes` bytes, on a handshake of these names.
`define TS_SOURCE_ON(name, bytes, valid, ready) \
  logic [8*(bytes)-1:0] name``_payload; \
  ts_source #(.Name(`"name`"), .PayloadBytes(bytes)) u_``name``_source ( \
    .clk_i, .rst_ni, .cycle_i(cycle_q), .flush_i, .credit_i(name``_credit_i), .played_o(name``_played_o), \
    .valid_o(valid), .ready_i(ready), .payload_o(name``_payload) \
  );

// The same on the device's own ports.
`define TS_SOURCE(name, bytes) `TS_SOURCE_ON(name, bytes, name``_valid_i, name``_ready_o)

// A sink that drives `ready`, and one that drives the device's own port.
`define TS_SINK_ON(name, ready) \
  ts_sink #(.Name(`"name`")) u_``name``_sink ( \
    .clk_i, .cycle_i(cycle_q), .flush_i, .credit_i(name``_credit_i), .ready_o(ready) \
  );
`define TS_SINK(name) `TS_SINK_ON(name, name``_ready_i)

// The handshake law on a stream out of the device; `width`: bits of the payload.
`define TS_CHECK_ON(name, width, valid, ready, payload) \
  ts_stream_check #(.PayloadW(width)) u_``name``_check ( \
    .clk_i, .rst_ni, .valid_i(valid), .ready_i(ready), .payload_i(payload) \
  );
`define TS_CHECK(name, width, payload) `TS_CHECK_ON(name, width, name``_valid_o, name``_ready_i, payload)

// A tap on a stream; its files lie in `Place`, a parameter of the scope.
`define TS_TAP(name, words, valid, ready, payload) \
  ts_tap #(.Place(Place), .Name(`"name`"), .Words(words)) u_``name``_tap ( \
    .clk_i, .rst_ni, .cycle_i(cycle_q), .flush_i, .valid_i(valid), .ready_i(ready), .payload_i(payload) \
  );

// Whether a source has something to play: in an expression.
`define TS_PLAYING(name, valid) (valid || name``_played_o != name``_credit_i)

// The end of work: `active` says that something is to be played, or in the device.
`define TS_QUIET(active) ts_quiet u_quiet (.clk_i, .rst_ni, .active_i(active), .quiet_o);
`endif
