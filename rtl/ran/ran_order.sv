// Order queue and drain queue of the RAN (docs/ran/reference.md, Completion order).
//
// The order queue holds, for every cycle in which jobs became complete, the set of their places; the lowest leaves first. A set is at
// least one job, and no place is complete twice before it has drained, so the queue cannot overflow.
module ran_order #(
  parameter int Rows = 8,
  parameter int Lanes = 16
) (
  input  logic clk_i,
  input  logic rst_ni,

  input  logic [2*Rows-1:0] complete_i,     // by place
  input  logic              byp_valid_i,    // a bypassed job is offered and covered
  output logic              byp_ready_o,
  input  logic [15:0]       byp_tag_i,
  input  logic [Lanes-1:0]  byp_mask_i,

  // Place, tag and mask of the job that is next
  output logic [5:0]        next_place_o,
  input  logic [15:0]       place_tag_i,
  input  logic [Lanes-1:0]  place_mask_i,
  output logic [15:0]       next_tag_o,
  input  logic [ran_pkg::SlotW-1:0] next_slot_i,
  input  logic              next_psum_i,    // its start value must be asked for
  output logic              req_valid_o,
  input  logic              req_ready_i,

  // Head of the drain queue
  output logic              head_valid_o,
  output logic              head_byp_o,
  output logic [5:0]        head_place_o,
  output logic [15:0]       head_tag_o,
  output logic [Lanes-1:0]  head_mask_o,
  output logic [ran_pkg::SlotW-1:0] head_slot_o,
  input  logic              pop_i
);
  localparam int SetW = 2 * Rows + 1;       // places, then a bypass
  localparam int Depth = 2 * Rows + ran_pkg::BypassDepth;
  localparam int PtrW = $clog2(Depth);
  localparam int SetsW = $clog2(Depth + 1);
  localparam int BypDepth = ran_pkg::BypassDepth;
  localparam int DrainDepth = ran_pkg::DrainDepth;
  localparam int BypW = 16 + Lanes;
  localparam int JobW = 1 + 6 + 16 + Lanes + ran_pkg::SlotW;

  function automatic logic [PtrW-1:0] after(input logic [PtrW-1:0] at);
    return (at == PtrW'(Depth - 1)) ? '0 : at + 1'b1;
  endfunction

  function automatic logic [5:0] lowest(input logic [SetW-1:0] set);
    logic [5:0] at;
    at = '0;
    for (int i = SetW - 2; i >= 0; i--) if (set[i]) at = 6'(i);
    return at;
  endfunction

  // ---- order queue ----------------
  logic [SetW-1:0]  set_q [Depth];
  logic [PtrW-1:0]  rd_q, wr_q;
  logic [SetsW-1:0] sets_q;
  logic [SetW-1:0]  gone_q, here, pick;     // of the oldest set: what has left; what has not; its lowest
  logic             push, select, pop_set, next_byp;
  logic [BypW-1:0]  byp_q [BypDepth];
  logic [1:0]       byp_rd_q, byp_wr_q;
  logic [2:0]       byps_q;
  logic             byp_push, byp_pop;

  assign byp_ready_o = byps_q != 3'(BypDepth);
  assign byp_push = byp_valid_i && byp_ready_o;
  assign push = byp_push || (complete_i != '0);

  assign here = (sets_q != '0) ? set_q[rd_q] & ~gone_q : '0;
  assign pick = here & (~here + 1'b1);
  assign next_byp = pick[SetW-1];
  assign next_place_o = lowest(pick);
  assign next_tag_o = next_byp ? byp_q[byp_rd_q][Lanes +: 16] : place_tag_i;
  assign pop_set = select && (here == pick);
  assign byp_pop = select && next_byp;

  // ---- drain queue ----------------
  logic [JobW-1:0] job_q [DrainDepth];
  logic [1:0]      job_rd_q, job_wr_q;
  logic [2:0]      jobs_q;
  logic            room;

  assign room = jobs_q != 3'(DrainDepth);
  assign req_valid_o = (here != '0) && room && next_psum_i;
  assign select = (here != '0) && room && (!next_psum_i || req_ready_i);
  assign head_valid_o = jobs_q != '0;
  assign {head_byp_o, head_place_o, head_tag_o, head_mask_o, head_slot_o} = job_q[job_rd_q];

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      rd_q     <= '0;
      wr_q     <= '0;
      sets_q   <= '0;
      gone_q   <= '0;
      byp_rd_q <= '0;
      byp_wr_q <= '0;
      byps_q   <= '0;
      job_rd_q <= '0;
      job_wr_q <= '0;
      jobs_q   <= '0;
    end else begin
      if (push) wr_q <= after(wr_q);
      if (pop_set) rd_q <= after(rd_q);
      sets_q <= sets_q + SetsW'(push) - SetsW'(pop_set);
      if (select) gone_q <= pop_set ? '0 : gone_q | pick;
      byp_wr_q <= byp_wr_q + 2'(byp_push);
      byp_rd_q <= byp_rd_q + 2'(byp_pop);
      byps_q   <= byps_q + 3'(byp_push) - 3'(byp_pop);
      job_wr_q <= job_wr_q + 2'(select);
      job_rd_q <= job_rd_q + 2'(pop_i);
      jobs_q   <= jobs_q + 3'(select) - 3'(pop_i);
    end
  end

  // Contents need no reset: nothing is read that has not been written.
  always_ff @(posedge clk_i) begin
    if (push) set_q[wr_q] <= {byp_push, complete_i};
    if (byp_push) byp_q[byp_wr_q] <= {byp_tag_i, byp_mask_i};
    if (select) begin
      job_q[job_wr_q] <= {next_byp, next_byp ? 6'd0 : next_place_o, next_tag_o,
                          next_byp ? byp_q[byp_rd_q][0 +: Lanes] : place_mask_i, next_slot_i};
    end
  end
endmodule
