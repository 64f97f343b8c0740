// AXI4-Lite host: plays accesses that a source gives it, one at a time, without Python in a cycle (docs/environment.md, Transactors).
//
// A record: 31:0 data (of a poll: what is waited for), 63:32 mask of a poll, 79:64 address, 81:80 operation: 0 write, 1 read, 2 poll: read
// again until (data & mask) is what is waited for. `axil.bin`, a record an access: cycle of its first offer, cycle of its response,
// {operation, response}, address, data (read, or written).
module ts_axil_host (
  input  logic         clk_i,
  input  logic         rst_ni,
  input  logic [31:0]  cycle_i,
  input  logic         flush_i,
  input  logic         valid_i,
  output logic         ready_o,
  input  logic [127:0] record_i,
  output logic        awvalid_o,
  input  logic        awready_i,
  output logic [15:0] awaddr_o,
  output logic        wvalid_o,
  input  logic        wready_i,
  output logic [31:0] wdata_o,
  output logic [3:0]  wstrb_o,
  input  logic        bvalid_i,
  output logic        bready_o,
  input  logic [1:0]  bresp_i,
  output logic        arvalid_o,
  input  logic        arready_i,
  output logic [15:0] araddr_o,
  input  logic        rvalid_i,
  output logic        rready_o,
  input  logic [31:0] rdata_i,
  input  logic [1:0]  rresp_i
);
  localparam logic [1:0] Poll = 2'd2;
  integer      fd;
  logic        active_q, aw_q, w_q, ar_q;   // an access is under way; what of it is still to be offered
  logic [31:0] since_q;
  logic [1:0]  op;
  logic        is_write, answered, again;
  assign op = record_i[81:80];
  assign is_write = op == 2'd0;
  assign awvalid_o = aw_q;
  assign wvalid_o = w_q;
  assign arvalid_o = ar_q;
  assign awaddr_o = record_i[79:64];
  assign araddr_o = record_i[79:64];
  assign wdata_o = record_i[31:0];
  assign wstrb_o = 4'hf;
  assign bready_o = 1'b1;
  assign rready_o = 1'b1;
  assign answered = active_q && (is_write ? bvalid_i : rvalid_i);
  assign again = op == Poll && rresp_i == 2'd0 && (rdata_i & record_i[63:32]) != record_i[31:0];
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
      if (aw_q && awready_i) aw_q <= 1'b0;
      if (w_q && wready_i) w_q <= 1'b0;
      if (ar_q && arready_i) ar_q <= 1'b0;
      if (answered) begin
        active_q <= again;
        ar_q     <= again;
        if (!again) begin
          $fwrite(fd, "%u%u%u%u%u", since_q, cycle_i, {14'd0, op, 14'd0, is_write ? bresp_i : rresp_i},
                  {16'd0, record_i[79:64]}, is_write ? record_i[31:0] : rdata_i);
        end
      end
    end
    if (flush_i) $fflush(fd);
  end
  logic unused;
  assign unused = ^record_i[127:82];
endmodule
