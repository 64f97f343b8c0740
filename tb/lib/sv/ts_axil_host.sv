// AXI4-Lite host: plays accesses that a source gives it, one at a time, without Python in a cycle (docs/bench.md, Transactors).
//
// A record: 31:0 data (of a poll: what is waited for), 63:32 mask of a poll, 79:64 address, 81:80 operation: 0 write, 1 read, 2 poll: read
// again until (data & mask) is what is waited for. `axil.bin`, a record an access: cycle of its first offer, cycle of its response,
// {operation, response}, address, data (read, or written).
module ts_axil_host
  import ts_axil_pkg::axil_req_t, ts_axil_pkg::axil_rsp_t;
(
  input  logic         clk_i,
  input  logic         rst_ni,
  input  logic [31:0]  cycle_i,
  input  logic         flush_i,
  input  logic         valid_i,
  output logic         ready_o,
  input  logic [127:0] record_i,
  output axil_req_t    axil_o,
  input  axil_rsp_t    axil_i
);
  localparam logic [1:0] Poll = 2'd2;
  integer      fd;
  logic        active_q, aw_q, w_q, ar_q;   // an access is under way; what of it is still to be offered
  logic [31:0] since_q;
  logic [1:0]  op;
  logic        is_write, answered, again;
  assign op = record_i[81:80];
  assign is_write = op == 2'd0;
  assign axil_o.awvalid = aw_q;
  assign axil_o.wvalid = w_q;
  assign axil_o.arvalid = ar_q;
  assign axil_o.awaddr = record_i[79:64];
  assign axil_o.araddr = record_i[79:64];
  assign axil_o.wdata = record_i[31:0];
  assign axil_o.wstrb = 4'hf;
  assign axil_o.bready = 1'b1;
  assign axil_o.rready = 1'b1;
  assign answered = active_q && (is_write ? axil_i.bvalid : axil_i.rvalid);
  assign again = op == Poll && axil_i.rresp == 2'd0 && (axil_i.rdata & record_i[63:32]) != record_i[31:0];
  assign ready_o = answered && !again;

  initial fd = $fopen("axil.bin", "wb");
  always @(posedge clk_i) begin
    if (!rst_ni) begin
      active_q <= 1'b0;
      aw_q     <= 1'b0;
      w_q      <= 1'b0;
      ar_q     <= 1'b0;
    end else begin
      if (!active_q && valid_i) begin
        active_q <= 1'b1;
        aw_q     <= is_write;
        w_q      <= is_write;
        ar_q     <= !is_write;
        since_q  <= cycle_i + 32'd1;
      end
      if (aw_q && axil_i.awready) aw_q <= 1'b0;
      if (w_q && axil_i.wready) w_q <= 1'b0;
      if (ar_q && axil_i.arready) ar_q <= 1'b0;
      if (answered) begin
        active_q <= again;
        ar_q     <= again;
        if (!again) begin
          $fwrite(fd, "%u%u%u%u%u", since_q, cycle_i, {14'd0, op, 14'd0, is_write ? axil_i.bresp : axil_i.rresp},
                  {16'd0, record_i[79:64]}, is_write ? record_i[31:0] : axil_i.rdata);
        end
      end
    end
    if (flush_i) $fflush(fd);
  end
  logic unused;
  assign unused = ^record_i[127:82];
endmodule
