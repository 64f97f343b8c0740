// One buffer: one word of 128 bits is read and one written per cycle, or 16 bits of it. Data a cycle after the address.
module top_mem #(
  parameter int Words = 1024
) (
  input  logic                       clk_i,
  input  logic                       re_i,
  /* verilator lint_off UNUSEDSIGNAL */  // callers check the range
  input  logic [top_pkg::AddrW-1:0]  raddr_i,
  input  logic [7:0]                 we_i,      // 16 bits each
  input  logic [top_pkg::AddrW-1:0]  waddr_i,
  /* verilator lint_on UNUSEDSIGNAL */
  input  logic [top_pkg::BeatW-1:0]  wdata_i,
  output logic [top_pkg::BeatW-1:0]  rdata_o
);
  localparam int IndexW = $clog2(Words);
  logic [top_pkg::BeatW-1:0] mem_q [Words];
  logic [top_pkg::BeatW-1:0] mask;
  for (genvar i = 0; i < 8; i++) begin : gen_mask
    assign mask[16*i +: 16] = {16{we_i[i]}};
  end
  always_ff @(posedge clk_i) begin
    if (we_i != '0) begin
      mem_q[waddr_i[IndexW-1:0]] <= (mem_q[waddr_i[IndexW-1:0]] & ~mask) | (wdata_i & mask);
    end
    if (re_i) rdata_o <= mem_q[raddr_i[IndexW-1:0]];
  end
endmodule
