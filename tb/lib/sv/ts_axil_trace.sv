`include "ts_trace.svh"

// Binary trace of an AXI4-Lite port, and its handshake checks. File `<Name>.bin`: four 32-bit words a transfer, lowest first: cycle of
// the offer, cycle of the transfer, {16 bits 0, 8 bits code, 8 bits channel}, address or data. Channels: 0 AW, 1 W, 2 B, 3 AR, 4 R; code: strobe
// of W, answer of B and R, else 0. Of several in a cycle the channel with the lowest number is first.
module ts_axil_trace
  import ts_axil_pkg::axil_req_t, ts_axil_pkg::axil_rsp_t;
#(
  parameter Name = "axil"
) (
  input logic        clk_i,
  input logic        rst_ni,
  input logic [31:0] cycle_i,
  input logic        flush_i,
  input axil_req_t   req_i,
  input axil_rsp_t   rsp_i
);
  localparam int Channels = 5;
  logic [Channels-1:0] valid, ready;
  logic [32*Channels-1:0] since, data;
  logic [8*Channels-1:0] code;
  assign valid = {rsp_i.rvalid, req_i.arvalid, rsp_i.bvalid, req_i.wvalid, req_i.awvalid};
  assign ready = {req_i.rready, rsp_i.arready, req_i.bready, rsp_i.wready, rsp_i.awready};
  assign data = {rsp_i.rdata, 16'd0, req_i.araddr, 32'd0, req_i.wdata, 16'd0, req_i.awaddr};
  assign code = {6'd0, rsp_i.rresp, 8'd0, 6'd0, rsp_i.bresp, 4'd0, req_i.wstrb, 8'd0};

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
