// Fetches words from a buffer with a latency of one cycle and offers them as a stream, one per cycle: a request is taken when there is room
// and the buffer's port is granted; its word is offered from the next cycle on. Side bits travel with the word. An address
// outside the buffer needs no port and gives 0. `clear_i` drops everything, in flight too.
module top_fetch #(
  parameter int Words = 1024,
  parameter int SideW = 1
) (
  input  logic                      clk_i,
  input  logic                      rst_ni,
  input  logic                      clear_i,
  input  logic                      req_valid_i,
  output logic                      req_ready_o,
  input  logic [top_pkg::AddrW:0]   req_addr_i,     // one bit more than a buffer can have
  input  logic [SideW-1:0]          req_side_i,
  output logic                      mem_req_o,
  output logic [top_pkg::AddrW-1:0] mem_addr_o,
  input  logic                      mem_gnt_i,
  input  logic [top_pkg::BeatW-1:0] mem_data_i,     // of the grant of the cycle before
  output logic                      out_valid_o,
  input  logic                      out_ready_i,
  output logic [top_pkg::BeatW-1:0] out_data_o,
  output logic [SideW-1:0]          out_side_o,
  output logic                      out_range_o     // the word lies outside
);
  localparam int EntryW = SideW + 1 + top_pkg::BeatW;
  logic [EntryW-1:0] fifo_q [2];
  logic [1:0]        count_q, used;
  logic              flying_q, flying_range_q, outside, take, req_take;
  logic [SideW-1:0]  flying_side_q;
  logic [EntryW-1:0] arriving;

  assign outside = req_addr_i >= (top_pkg::AddrW + 1)'(Words);
  assign used = count_q + {1'b0, flying_q};
  assign take = out_valid_o && out_ready_i;
  assign mem_req_o = req_valid_i && !outside && (used < 2'd2 || take);
  assign mem_addr_o = req_addr_i[top_pkg::AddrW-1:0];
  assign req_ready_o = (used < 2'd2 || take) && (outside || mem_gnt_i);
  assign req_take = req_valid_i && req_ready_o;

  assign arriving = {flying_side_q, flying_range_q, flying_range_q ? '0 : mem_data_i};
  assign out_valid_o = used != '0;
  assign {out_side_o, out_range_o, out_data_o} = (count_q != '0) ? fifo_q[0] : arriving;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      count_q        <= '0;
      flying_q       <= 1'b0;
      flying_range_q <= 1'b0;
      flying_side_q  <= '0;
    end else if (clear_i) begin
      count_q  <= '0;
      flying_q <= 1'b0;
    end else begin
      flying_q <= req_take;
      if (req_take) begin
        flying_range_q <= outside;
        flying_side_q  <= req_side_i;
      end
      count_q <= used - {1'b0, take};
    end
  end
  // What has arrived and is not taken at once: after what waits, which moves up when its first is taken.
  always_ff @(posedge clk_i) begin
    if (take && count_q == 2'd2) fifo_q[0] <= fifo_q[1];
    if (flying_q && (count_q == '0 || (count_q == 2'd1 && take))) fifo_q[0] <= arriving;
    if (flying_q && count_q == 2'd1 && !take) fifo_q[1] <= arriving;
  end
endmodule
