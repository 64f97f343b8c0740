// The table of entries: one place to read, one to write (docs/laps/README.md, Entry). Words are checked before they are written.
module laps_table
  import laps_pkg::ref_t, laps_pkg::entry_t;
#(
  parameter int Layers = 16
) (
  input  logic clk_i,
  input  logic rst_ni,
  /* verilator lint_off UNUSEDSIGNAL */  // references to layers that do not exist are refused by the caller
  input  ref_t                        ref_i,        // entry to read, in this cycle
  output entry_t                      entry_o,
  // register access to `ref_i`
  input  logic                        word_write_i,
  input  logic                        word_i,       // which of its words
  input  logic [31:0]                 wdata_i,
  output logic [31:0]                 rdata_o,
  output logic                        legal_o,      // `wdata_i` may be written
  // update
  input  logic                        write_i,
  input  ref_t                        write_ref_i,
  /* verilator lint_on UNUSEDSIGNAL */
  input  entry_t                      write_entry_i
);
  localparam int Entries = laps_pkg::Classes * Layers;
  localparam int IndexW = $clog2(Entries);

  entry_t            entry_q [Entries];
  entry_t            written;          // after the access
  logic [15:0]       high;             // of entry and access, as words
  logic [31:0]       low;
  logic [IndexW-1:0] index, write_index;
  assign index = ref_i[IndexW-1:0];
  assign write_index = write_ref_i[IndexW-1:0];
  assign entry_o = entry_q[index];
  assign {high, low} = entry_o;
  assign rdata_o = word_i ? {16'd0, high} : low;
  assign written = word_i ? {wdata_i[15:0], low} : {high, wdata_i};
  assign legal_o = word_i ? wdata_i[31:16] == '0 :
      written.fl[7] == written.fl[6] && written.n >= 3'd1 && written.n <= 3'd4 && !written.spare15;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      for (int e = 0; e < Entries; e++) entry_q[e] <= (e % laps_pkg::Classes == 0) ?
          laps_pkg::ResetEntryUnsigned : laps_pkg::ResetEntry;
    end else if (write_i) begin
      entry_q[write_index] <= write_entry_i;
    end else if (word_write_i) begin
      entry_q[index] <= written;
    end
  end
endmodule
