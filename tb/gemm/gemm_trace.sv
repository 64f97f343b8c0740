// Binary trace of what happens to descriptors of a pair between its port and its parts (docs/environment.md).
//
// gemm_event.bin: {cycle, kind and data} a record: 1 answer (data: code), 2 transfer to the RAN, 3 transfer to the IOSS core, 6 new value
// of busy_o.
module gemm_trace #(
  parameter Place = "."           // folder of the trace
) (
  input logic        clk_i,
  input logic        rst_ni,
  input logic [31:0] cycle_i,
  input logic        flush_i,
  input logic        busy_i,
  input logic        rsp_valid_i,
  input logic [4:0]  rsp_code_i,
  input logic        ran_take_i,
  input logic        ioss_take_i
);
  localparam logic [7:0] EvRsp = 8'd1;
  localparam logic [7:0] EvRan = 8'd2;
  localparam logic [7:0] EvIoss = 8'd3;
  localparam logic [7:0] EvBusy = 8'd6;

  integer event_fd;
  logic   busy_q;
  initial begin
    event_fd = $fopen({Place, "/gemm_event.bin"}, "wb");
    busy_q   = 1'b0;
  end
  always @(posedge clk_i) begin
    busy_q <= rst_ni && busy_i;
    if (rst_ni) begin
      if (busy_i != busy_q) $fwrite(event_fd, "%u%u", cycle_i, {EvBusy, 23'd0, busy_i});
      if (rsp_valid_i) $fwrite(event_fd, "%u%u", cycle_i, {EvRsp, 19'd0, rsp_code_i});
      if (ran_take_i) $fwrite(event_fd, "%u%u", cycle_i, {EvRan, 24'd0});
      if (ioss_take_i) $fwrite(event_fd, "%u%u", cycle_i, {EvIoss, 24'd0});
    end
    if (flush_i) $fflush(event_fd);
  end
endmodule
