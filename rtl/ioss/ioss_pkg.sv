// Codes of the IOSS core (docs/ioss/README.md: Descriptors, Vector stream, Counters).
package ioss_pkg;
  import trainslice_pkg::operands_t;

  /* verilator lint_off UNUSEDPARAM */  // whole tables, of which no block uses every entry
  parameter int CodeW = 4;

  parameter logic [CodeW-1:0] RspOk = 4'd0;
  parameter logic [CodeW-1:0] RspXSlices = 4'd1;
  parameter logic [CodeW-1:0] RspWSlices = 4'd2;
  parameter logic [CodeW-1:0] RspReduce = 4'd3;
  parameter logic [CodeW-1:0] RspKLen = 4'd4;
  parameter logic [CodeW-1:0] RspOrder = 4'd5;
  parameter logic [CodeW-1:0] RspJobs = 4'd6;

  parameter logic [CodeW-1:0] JobEarlyLast = 4'd1;
  parameter logic [CodeW-1:0] JobLateLast = 4'd2;
  parameter logic [CodeW-1:0] JobTile = 4'd3;

  parameter int KIdxW = 10;   // element index on the observation port
  parameter int CtrW = 32;
  parameter int CtrAddrW = 9;
  parameter int SkipCauses = 4;  // mask, x, w, order
  parameter int CountW = 8;      // pairs of a beat: at most 32 * 4 (4 bits) or 8 * 16 (16 bits), 128
  /* verilator lint_on UNUSEDPARAM */

  // What a bank holds of its tile's descriptor; a member's share of K.
  typedef struct packed {
    operands_t   desc;
    logic [15:0] chunk;
  } tile_t;
endpackage
