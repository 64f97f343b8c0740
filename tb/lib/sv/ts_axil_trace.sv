`include "ts_trace.svh"

// Binary trace of an AXI4-Lite port, and its handshake checks. File `<Name>.bin`: four 32-bit words a transfer, lowest first: cycle of
// the offer, cycle of the transfer, {16 bits 0, 8 bits code, 8 bits channel}, address or data. Channels: 0 AW, 1 W, 2 B, 3 AR, 4 R; code: strobe
// of W, answer of B and R, else 0. Of several in a cycle the channel with the lowest number is first.
module ts_axil_trace #(
  parameter Name = "axil"
) (
  input logic        clk_i,
  input logic        rst_ni,
  input logic [31:0] cycle_i,
  input logic        flush_i,
  input logic        awvalid_i,
  input logic        awready_i,
  input logic [15:0] awaddr_i,
  input logic        wvalid_i,
  input logic        wready_i,
  input logic [31:0] wdata_i,
  input logic [3:0]  wstrb_i,
  input logic        bvalid_i,
  input logic        bready_i,
  input logic [1:0]  bresp_i,
  input logic        arvalid_i,
  input logic        arready_i,
  input logic [15:0] araddr_i,
  input logic        rvalid_i,
  input logic        rready_i,
  input logic [31:0] rdata_i,
  input logic [1:0]  rresp_i
);
  localparam int Channels = 5;
  logic [Channels-1:0] valid, ready;
  logic [32*Channels-1:0] since, data;
  logic [8*Channels-1:0] code;
  assign valid = {rvalid_i, arvalid_i, bvalid_i, wvalid_i, awvalid_i};
  assign ready = {rready_i, arready_i, bready_i, wready_i, awready_i};
  assign data = {rdata_i, 16'd0, araddr_i, 32'd0, wdata_i, 16'd0, awaddr_i};
  assign code = {6'd0, rresp_i, 8'd0, 6'd0, bresp_i, 4'd0, wstrb_i, 8'd0};

  for (genvar c = 0; c < Channels; c++) begin : gen_channel
    ts_since u_since (
      .clk_i, .rst_ni, .cycle_i, .valid_i(valid[c]), .ready_i(ready[c]), .since_o(since[32*c +: 32])
    );
    ts_stream_check #(.PayloadW(40)) u_check (
      .clk_i, .rst_ni, .valid_i(valid[c]), .ready_i(ready[c]), .payload_i({code[8*c +: 8], data[32*c +: 32]})
    );
  end

  integer fd;
  logic [127:0] record;
  initial fd = $fopen({Name, ".bin"}, "wb");
  /* verilator lint_off BLKSEQ */
  always @(posedge clk_i) begin
    if (rst_ni) begin
      for (int c = 0; c < Channels; c++) begin
        if (valid[c] && ready[c]) begin
          record = {data[32*c +: 32], 16'd0, code[8*c +: 8], 8'(c), cycle_i, since[32*c +: 32]};
          `TS_TRACE(fd, record, 4)
        end
      end
    end
    if (flush_i) $fflush(fd);
  end
  /* verilator lint_on BLKSEQ */
endmodule
