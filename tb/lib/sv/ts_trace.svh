// Binary traces: little-endian 32-bit words, lowest first (docs/bench.md, Traces). They expect clk_i, rst_ni, flush_i, `cycle_q` and `Place`,
// the folder of the files, in their scope.
`ifndef TS_TRACE_SVH
`define TS_TRACE_SVH

// `TS_TRACE(fd, record, words): appends the variable `record` of `words` words to a file.
//
// On Verilator the memory of the variable is written as it is (little-endian machines); its $fwrite would format byte by byte, which
// took a fifth of the simulation's time.
`ifdef VERILATOR
`define TS_TRACE(fd, record, words) $c("std::fwrite(&", record, ", 4, ", words, ", VL_CVT_I_FP(", fd, "));");
`else
`define TS_TRACE(fd, record, words) $fwrite(fd, "%u", record);
`endif

// A trace `name` with records of `words` words in `<file>.bin`: its variables. A module item.
`define TS_FILE(name, file, words) \
  integer name``_fd; \
  logic [32*(words)-1:0] name``_record; \
  localparam int name``_words = words; \
  initial name``_fd = $fopen({Place, "/", file, ".bin"}, "wb");

// The cycle in which the offer on a stream began, as <name>_since. A module item.
`define TS_SINCE(name, valid, ready) \
  logic [31:0] name``_since; \
  ts_since u_``name``_since ( \
    .clk_i, .rst_ni, .cycle_i(cycle_q), .valid_i(valid), .ready_i(ready), .since_o(name``_since) \
  );

// Statements of a clocked process: a record in each cycle out of reset in which `when` holds; the file is written out when a test asks for it.
`define TS_RECORD(name, when, value) \
  if (rst_ni && (when)) begin \
    /* verilator lint_off BLKSEQ */ \
    name``_record = value; \
    /* verilator lint_on BLKSEQ */ \
    `TS_TRACE(name``_fd, name``_record, name``_words) \
  end \
  if (flush_i) $fflush(name``_fd);

// Events are records {cycle, kind and 24 bits of data} in `<file>.bin`, filled up with zeros to `words`. A module item.
`define TS_EVENT_FILE(file, words) \
  `TS_FILE(event, file, words) \
  logic event_rst_q; \
  initial event_rst_q = 1'b0;

// Statements: an event of a kind; each change of rst_ni, in the first cycle that has it (kind 5).
`define TS_EVENT(when, kind, data) `TS_RECORD(event, when, (32*event_words)'({kind, 24'(data), cycle_q}))
`define TS_EVENT_RESET \
  event_rst_q <= rst_ni; \
  if (rst_ni != event_rst_q) begin \
    /* verilator lint_off BLKSEQ */ \
    event_record = (32*event_words)'({8'd5, 23'd0, rst_ni, cycle_q}); \
    /* verilator lint_on BLKSEQ */ \
    `TS_TRACE(event_fd, event_record, event_words) \
  end

// Each change of a level, which counts as low in reset: a module item for what it was, and a statement.
`define TS_LEVEL(name) \
  logic name``_q; \
  initial name``_q = 1'b0;
`define TS_EVENT_LEVEL(name, kind, level) \
  name``_q <= rst_ni && level; \
  `TS_EVENT(level != name``_q, kind, level)
`endif
