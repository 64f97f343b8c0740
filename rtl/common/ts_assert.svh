// Assertions that both simulators take: an immediate check at every clock edge outside reset. A failing one prints a line that the
// environment turns into a test failure. They are no design logic, so code coverage leaves them out, and they may sample the
// asynchronous reset synchronously.
`ifndef TS_ASSERT_SVH
`define TS_ASSERT_SVH
`ifdef SYNTHESIS
`define TS_ASSERT(name, cond)
`elsif VERILATOR
`define TS_ASSERT(name, cond) \
  /* verilator coverage_off */ /* verilator lint_off SYNCASYNCNET */ \
  always @(posedge clk_i) if (rst_ni && !(cond)) $display(`"TS_ASSERT name in %m at %0t`", $time); \
  /* verilator lint_on SYNCASYNCNET */ /* verilator coverage_on */
`else
`define TS_ASSERT(name, cond) \
  always @(posedge clk_i) if (rst_ni && !(cond)) $display(`"TS_ASSERT name in %m at %0t`", $time);
`endif
`endif
