// Codes of the IOSS core (docs/ioss/README.md: Descriptors, Vector stream, Counters).
package ioss_pkg;
  /* verilator lint_off UNUSEDPARAM */  // whole tables, of which no block uses every entry
  parameter int CodeW = 4;

  parameter int RspOk = 0;
  parameter int RspXSlices = 1;
  parameter int RspWSlices = 2;
  parameter int RspReduce = 3;
  parameter int RspKLen = 4;
  parameter int RspOrder = 5;
  parameter int RspJobs = 6;

  parameter int JobEarlyLast = 1;
  parameter int JobLateLast = 2;
  parameter int JobTile = 3;

  parameter int KIdxW = 10;   // element index on the observation port
  parameter int CtrW = 32;
  parameter int CtrAddrW = 9;
  parameter int SkipCauses = 4;  // mask, x, w, order
  /* verilator lint_on UNUSEDPARAM */
endpackage
