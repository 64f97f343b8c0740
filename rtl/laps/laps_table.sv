// The table of entries: one place to read, one to write (docs/laps/README.md, Entry). Words are checked before they are written.
module laps_table #(
  parameter int Layers = 16
) (
  input  logic clk_i,
  input  logic rst_ni,
  /* verilator lint_off UNUSEDSIGNAL */  // references to layers that do not exist are refused by the caller
  input  logic [laps_pkg::RefW-1:0]   ref_i,        // entry to read, in this cycle
  output logic [laps_pkg::EntryW-1:0] entry_o,
  // register access to `ref_i`
  input  logic                        word_write_i,
  input  logic                        word_i,       // which of its words
  input  logic [31:0]                 wdata_i,
  output logic [31:0]                 rdata_o,
  output logic                        legal_o,      // `wdata_i` may be written
  // update
  input  logic                        write_i,
  input  logic [laps_pkg::RefW-1:0]   write_ref_i,
  /* verilator lint_on UNUSEDSIGNAL */
  input  logic [laps_pkg::EntryW-1:0] write_entry_i
);
  localparam int Entries = laps_pkg::Classes * Layers;
  localparam int IndexW = $clog2(Entries);
  localparam logic [laps_pkg::EntryW-1:0] Reset = 48'd2 << laps_pkg::EntryN;
  localparam logic [laps_pkg::EntryW-1:0] ResetUnsigned = Reset | 48'd1 << laps_pkg::EntryUnsigned;

  logic [laps_pkg::EntryW-1:0] entry_q [Entries];
  logic [IndexW-1:0] index, write_index;
  assign index = ref_i[IndexW-1:0];
  assign write_index = write_ref_i[IndexW-1:0];
  assign entry_o = entry_q[index];
  assign rdata_o = word_i ? {16'd0, entry_o[laps_pkg::EntryW-1:32]} : entry_o[31:0];
  assign legal_o = word_i ? wdata_i[31:16] == '0 :
      wdata_i[7] == wdata_i[6] && wdata_i[10:8] >= 3'd1 && wdata_i[10:8] <= 3'd4 && !wdata_i[15];

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      for (int e = 0; e < Entries; e++) entry_q[e] <= (e % laps_pkg::Classes == 0) ? ResetUnsigned : Reset;
    end else if (write_i) begin
      entry_q[write_index] <= write_entry_i;
    end else if (word_write_i) begin
      entry_q[index] <= word_i ? {wdata_i[15:0], entry_o[31:0]} : {entry_o[laps_pkg::EntryW-1:32], wdata_i};
    end
  end
endmodule
