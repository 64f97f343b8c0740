// Records as words that a store reads (docs/top/README.md, Commands): STAT, OPT_STAT, the plan table. Data follow the address by a cycle, as
// those of a buffer.
module top_records (
  input  logic                      clk_i,
  input  logic [top_pkg::AddrW-1:0] addr_i,
  input  logic [191:0]              stat_i,      // word 0 lowest
  input  logic [255:0]              opt_stat_i,
  output logic [4:0]                slot_o,      // of the plan table,
  input  logic [top_pkg::BeatW-1:0] plan_i,      // read in the same cycle
  output logic [top_pkg::BeatW-1:0] data_o
);
  logic [5:0] at;
  assign at = 6'(addr_i) - 6'(2 * top_pkg::StatWords);
  assign slot_o = 5'(at);
  always_ff @(posedge clk_i) begin
    case (addr_i)
      16'd0:   data_o <= stat_i[127:0];
      16'd1:   data_o <= {64'd0, stat_i[191:128]};
      16'd2:   data_o <= opt_stat_i[127:0];
      16'd3:   data_o <= opt_stat_i[255:128];
      default: data_o <= plan_i;
    endcase
  end
  logic unused;
  assign unused = at[5];
endmodule
