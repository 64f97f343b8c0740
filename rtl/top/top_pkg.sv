// Constants and records of the processor's engines (docs/top/README.md).
package top_pkg;
  import trainslice_pkg::stat_t;
  import laps_pkg::ref_t;
  import laps_pkg::plan_t;
  import optc_pkg::pass_t;
  import optc_pkg::record_t;

  /* verilator lint_off UNUSEDPARAM */  // whole tables, of which no module uses every entry
  parameter int BeatW = 128;
  parameter int CmdW = 512;
  parameter int IdW = 8;
  parameter int DoneW = 8;
  parameter int AddrW = 16;       // of words in a buffer
  parameter int Beyond = 65536;   // 2^AddrW: every address past the largest buffer (top_word.sv)
  parameter int WordW = 17;       // 0 .. Beyond
  parameter int Engines = 3;
  parameter logic [1:0] EngineLoad = 2'd0;
  parameter logic [1:0] EngineCompute = 2'd1;
  parameter logic [1:0] EngineStore = 2'd2;
  parameter int QueueDepth = 4;

  parameter logic [3:0] OpLoad = 4'd1;
  parameter logic [3:0] OpGemm = 4'd2;
  parameter logic [3:0] OpOpt = 4'd3;
  parameter logic [3:0] OpStore = 4'd4;
  parameter logic [3:0] OpPlan = 4'd5;
  parameter logic [3:0] OpUpdate = 4'd6;

  parameter logic [2:0] BufX = 3'd0;
  parameter logic [2:0] BufW = 3'd1;
  parameter logic [2:0] BufM = 3'd2;
  parameter logic [2:0] BufY = 3'd3;
  parameter logic [2:0] BufA = 3'd4;
  parameter logic [2:0] BufSw = 3'd5;
  parameter logic [2:0] BufSm = 3'd6;
  parameter logic [2:0] BufSv = 3'd7;

  parameter int CodeW = 4;
  parameter int DetailW = 5;
  parameter logic [CodeW-1:0] CmdOk = 4'd0;
  parameter logic [CodeW-1:0] CmdOperation = 4'd1;
  parameter logic [CodeW-1:0] CmdSize = 4'd2;
  parameter logic [CodeW-1:0] CmdRange = 4'd3;
  parameter logic [CodeW-1:0] CmdFraming = 4'd4;
  parameter logic [CodeW-1:0] CmdPlan = 4'd5;
  parameter logic [CodeW-1:0] CmdGemm = 4'd6;
  parameter logic [CodeW-1:0] CmdOptc = 4'd7;
  parameter logic [CodeW-1:0] CmdUpdate = 4'd8;
  parameter logic [CodeW-1:0] CmdWindow = 4'd9;
  parameter logic [CodeW-1:0] CmdFeed = 4'd10;

  // Windows: words of the ring; the longest one, so that it fits wherever it begins, with a word asked for ahead.
  parameter int WindowRing = 16;
  parameter int WindowSpan = 448;
  parameter int PosW = 23;        // positions in units of 4 bits

  parameter int Lanes = 16;
  parameter int MaxJobs = 16383;
  // Widths follow from the largest legal values of fields: M up to MaxJobs, N up to 65,535, steps up to 65,535, n up to 2^24 - 1.
  parameter int MaxTiles = 4096;                          // ceil(65,535 / Lanes)
  parameter int MaxStep = 65535;
  parameter int MaxCores = 4;
  parameter int MaxBeats = 4194304;                       // ceil((2^24 - 1) / 4)
  parameter int StepW = $clog2(MaxStep * (MaxCores - 1) + 1);
  parameter int TilesW = $clog2(MaxTiles + 1);            // of a core
  parameter int JobsW = $clog2(MaxJobs + 1);
  parameter int MasksW = $clog2(MaxJobs * MaxTiles + 1);
  parameter int BeatsW = $clog2(MaxBeats + 1);
  // A result that feeds a pass: its number up to 2^17, from which on it lies past every buffer.
  parameter int MaxFed = 131072;                          // copies of 4 bits: two results a word
  parameter int JobW = $clog2(MaxFed + 1);
  parameter int TileDraws = 16;   // tiles of columns are 2^TileDraws numbers of draws apart
  parameter int PlanSlots = 32;
  // Records, as a STORE reads them: STAT, OPT_STAT, the plan table.
  parameter int StatWords = 2;    // of each of the first two
  parameter int RecordWords = 2 * StatWords + PlanSlots;
  /* verilator lint_on UNUSEDPARAM */

  // ---- commands, word 0 lowest (docs/top/README.md, Commands) ----------------
  typedef struct packed {
    logic [Engines*DoneW-1:0] waits;  // done counters of load, compute, store
    logic        records;
    logic [2:0]  target;
    logic [3:0]  op;
  } head_t;

  typedef struct packed {
    logic [479:0] body;
    head_t        head;
  } cmd_t;

  // LOAD, STORE.
  typedef struct packed {
    logic [431:0] spare3;
    logic [15:0]  words;
    logic [11:0]  spare1;
    logic [3:0]   cores;
    logic [15:0]  addr;
    head_t        head;
  } move_t;

  // Words 10 .. 12 of a GEMM.
  typedef struct packed {
    logic [15:0] spare12;
    logic [15:0] words;
    logic [11:0] spare11;
    logic [3:0]  stride;
    logic [3:0]  pad_columns;
    logic [3:0]  pad_rows;
    logic [3:0]  kernel_columns;
    logic [3:0]  kernel_rows;
    logic [6:0]  spare10;
    logic [7:0]  rows;
    logic [7:0]  columns;
    logic [8:0]  channels;
  } window_t;

  typedef struct packed {
    logic [31:0] draw;                // word 15
    logic [63:0] spare13;
    window_t     window;
    logic [8:0]  spare9;
    logic        feed;                // results go to the optimiser
    logic        narrow;              // results leave with eight lanes
    logic        w_windows;           // the rows of tiles, vectors are windows of images
    logic        x_windows;
    logic        keep;                // write masks to A
    ref_t        tensor;
    logic        update;
    logic [4:0]  slot;
    logic        planned;
    logic        mask;                // word 9
    logic        bias;
    logic [5:0]  shift;
    logic [1:0]  rand_bits;
    logic [1:0]  round;
    logic        relu;
    logic        y_unsigned;
    logic [2:0]  y_bits;
    logic [3:0]  reduce;
    logic        compensate;
    logic        w_unsigned;
    logic        x_unsigned;
    logic [2:0]  min_order;
    logic [2:0]  n_w;
    logic [2:0]  n_x;                 // word 8
    logic [15:0] spare7;
    logic [15:0] p_step;              // of a core
    logic [15:0] a_step;
    logic [15:0] y_step;
    logic [15:0] p_addr;
    logic [15:0] a_addr;
    logic [15:0] y_addr;
    logic [15:0] m_addr;
    logic [15:0] b_addr;
    logic [15:0] w_addr;
    logic [15:0] x_addr;
    logic [15:0] columns;             // N
    logic [15:0] jobs;                // M
    logic [15:0] k;
    head_t       head;
  } gemm_t;

  typedef struct packed {
    logic [127:0] spare12;
    logic [31:0]  draw;               // word 11
    pass_t        pass;
    logic [14:0]  spare2;
    logic         keep;               // for a product that feeds it
    logic [15:0]  c_addr;             // copies
    logic [15:0]  g_addr;             // gradients
    logic [15:0]  s_addr;             // state
    head_t        head;
  } opt_t;

  // PLAN.
  typedef struct packed {
    logic [415:0] spare3;
    logic [15:0]  k;
    logic [5:0]   spare2;
    ref_t         y;
    logic [6:0]   spare1;
    logic [4:0]   slot;
    ref_t         w;
    ref_t         x;
    head_t        head;
  } ask_t;

  // A host's statistics: words 1 .. 6 of UPDATE, words of UPD.
  typedef struct packed {
    logic [15:0] spare5;
    logic [5:0]  max_bit;
    ref_t        tensor;
    logic [15:0] spare4;
    logic [47:0] sum_abs;
    logic [31:0] zeros;
    logic [31:0] overflow;
    logic [31:0] values;
  } upd_words_t;

  typedef struct packed {
    logic [287:0] spare7;
    upd_words_t   upd;
    head_t        head;
  } tell_t;

  function automatic logic [1:0] engine_of(input logic [3:0] op);
    return (op == OpLoad) ? EngineLoad : (op == OpStore) ? EngineStore : EngineCompute;
  endfunction

  // ---- between the parts ----------------
  // An update of LAPS.
  typedef struct packed {
    logic [laps_pkg::LayerW-1:0] layer;
    logic [1:0]  cls;
    logic [31:0] values;
    logic [31:0] overflow;
    logic [31:0] zeros;
    logic [5:0]  max_bit;
    logic [47:0] sum_abs;
  } upd_t;

  /* verilator lint_off UNUSEDSIGNAL */  // spare bits
  function automatic upd_t upd_of(input upd_words_t words);
    return {words.tensor, words.values, words.overflow, words.zeros, words.max_bit, words.sum_abs};
  endfunction
  /* verilator lint_on UNUSEDSIGNAL */

  // LAPS' answer to one.
  typedef struct packed {
    logic [1:0] code;
    logic [4:0] events;
    logic [2:0] n;
    logic [7:0] fl;
  } answer_t;

  // An entry of the plan table.
  typedef struct packed {
    plan_t plan;
    logic  valid;
  } slot_t;

  typedef struct packed {
    logic [IdW-1:0]     id;
    logic [DetailW-1:0] detail;
    logic [1:0]         engine;
    logic [CodeW-1:0]   code;
  } failure_t;

  // Lengths of windows in units of 4 bits (top_geometry).
  typedef struct packed {
    logic [14:0] step;                // from one window to the next in a row of windows
    logic [18:0] line;                // from one row of an image to the next
    logic [22:0] row_step;            // from one row of windows to the next
    logic [26:0] image;
    logic [14:0] segment;             // a row of the kernel
    logic [23:0] span;                // from a window's begin to its end
    logic [22:0] ahead;               // from the first window's begin to the image's
    logic [14:0] left;                // padding at the left of a row's first window
    logic [19:0] right;               // from that window's begin to the right border
  } lengths_t;

  // Where a walk over windows stands (top_window): at a window,
  typedef struct packed {
    logic [PosW-1:0] p;               // where it begins,
    logic [PosW-1:0] row;             // its row of windows,
    logic [PosW-1:0] image;           // the first row of its image
    logic [9:0]      x;               // column and row, padding included
    logic [9:0]      y;
    logic [14:0]     left;            // from its begin to the left border,
    logic [19:0]     right;           // to the right one
  } spot_t;

  // and within it.
  typedef struct packed {
    logic [3:0]      g;               // row of the kernel
    logic [PosW-1:0] gl;              // to it from the window's begin
    logic [19:0]     o;               // within it
  } stretch_t;

  // A pass, with the first words of copies and of the state.
  typedef struct packed {
    pass_t       pass;
    logic [15:0] c_addr;
    logic [15:0] s_addr;
  } kept_t;

  // The chunk of K that a pair works on.
  typedef struct packed {
    logic        start;               // pulse: the command begins
    logic        chunk;               // pulse: a chunk begins
    logic        active;              // its descriptors are offered, or all were
    logic        first;               // the command's first
    logic [12:0] accepted;            // descriptors of the chunk
    logic [15:0] k;                   // its elements,
    logic [15:0] member;              // those of a member
  } chunk_t;

  // A write of a buffer: parts of the word, 16 bits each.
  typedef struct packed {
    logic [7:0]       we;
    logic [AddrW-1:0] addr;
    logic [BeatW-1:0] data;
  } write_t;

  // A beat of a result that feeds a pass; its place among copies and state.
  typedef struct packed {
    logic [JobW-1:0]  number;
    logic [1:0]       beat;
    logic [BeatW-1:0] data;
  } fed_t;

  typedef struct packed {
    logic [2:0]       part;           // of the word of copies
    logic [WordW-1:0] copy;
    logic [WordW-1:0] state;
  } place_t;

  // ---- records, as registers and stores show them ----------------
  typedef struct packed {
    logic [25:0] spare5;
    logic [5:0]  max_bit;
    logic [15:0] spare4;
    logic [47:0] sum_abs;
    logic [31:0] zeros;
    logic [31:0] overflow;
    logic [31:0] values;
  } stat_words_t;

  function automatic stat_words_t stat_words(input stat_t stat);
    return {26'd0, stat.max_bit, 16'd0, stat.sum_abs, stat.zeros, stat.overflow, stat.values};
  endfunction

  function automatic logic [255:0] opt_stat_words(input record_t record);
    return {14'd0, record.bits_v, record.bits_m, record.bits_w, 8'd0, record.w, 8'd0, record.m, 8'd0, record.v,
            8'd0, record.copy, 8'd0, record.clipped, 8'd0, record.eps, 8'd0, record.values};
  endfunction

  function automatic logic [BeatW-1:0] plan_words(input slot_t entry);
    return {32'd0, {22{entry.plan.shift[9]}}, entry.plan.shift, 8'd0, entry.plan.fl_y, entry.plan.fl_w, entry.plan.fl_x,
            20'd0, entry.plan.order, entry.plan.n_y, entry.plan.n_w, entry.plan.n_x, entry.valid};
  endfunction
endpackage
