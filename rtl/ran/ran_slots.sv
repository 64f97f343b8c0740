// Descriptor slots of the RAN: which jobs are under way and how they are finished (docs/ran/README.md: Descriptors, Statistics).
//
// Slots form a ring in the order of their descriptors; jobs are numbered along it, so a tag is covered if it lies in the window from the
// oldest slot's first job to the newest slot's last. A slot retires when its jobs are finished, oldest first.
module ran_slots
  import ran_pkg::way_t, trainslice_pkg::operands_t;
#(
  parameter int Rows = 8,
  parameter int Lanes = 16,
  parameter int AccW = 40
) (
  input  logic        clk_i,
  input  logic        rst_ni,

  input  logic        desc_valid_i,
  output logic        desc_ready_o,
  input  way_t        desc_cfg_i,
  input  logic [31:0] desc_draw_i,
  input  operands_t   desc_i,
  output logic        rsp_valid_o,
  output logic [ran_pkg::CodeW-1:0] rsp_code_o,

  output logic [3:0]  reduce_factor_o,
  output logic [15:0] base_o,         // first tag that is covered
  output logic [15:0] covered_o,      // how many are

  // Slot of a tag
  input  logic [15:0] find_tag_i,
  output logic [ran_pkg::SlotW-1:0] find_slot_o,
  output logic [1:0]  find_start_o,

  // What a slot says: to the job at the drain's head, in the sum register, in the quant register
  input  logic [ran_pkg::SlotW-1:0] head_slot_i,
  input  logic [15:0]               head_tag_i,
  output logic [1:0]                head_start_o,
  output logic [5:0]                head_lanes_o,
  output logic [AccW-2:0]           head_limit_o,
  output logic                      head_loaded_o,
  output logic [Lanes*32-1:0]       head_bias_o,
  output logic [31:0]               head_number_o,   // of its draws
  input  logic [ran_pkg::SlotW-1:0] sum_slot_i,
  output way_t        sum_cfg_o,
  input  logic [ran_pkg::SlotW-1:0] quant_slot_i,
  output way_t        quant_cfg_o,

  // Bias
  output logic                bias_wanted_o,
  input  logic                bias_done_i,
  input  logic [Lanes*32-1:0] bias_words_i,

  // Finished jobs
  input  logic        job_done_i,     // the job in the quant register moves on
  input  logic        cancel_valid_i,
  input  logic [15:0] cancel_tag_i,
  output logic        cancelled_o,

  // Retirement
  input  logic        record_free_i,
  output logic        accept_o,       // a slot is taken
  output logic [ran_pkg::SlotW-1:0] accept_slot_o,
  output logic        retire_o,
  output logic [ran_pkg::SlotW-1:0] retire_slot_o,
  output logic        retire_last_o,  // the tensor ends with it
  output logic        busy_o
);
  localparam int Slots = ran_pkg::Slots;
  localparam int SlotW = ran_pkg::SlotW;
  localparam int JobsW = ran_pkg::JobsW;
  localparam int CodeW = ran_pkg::CodeW;

  logic [SlotW-1:0]    oldest_q, newest;   // newest: the next free one
  logic [SlotW:0]      count_q;
  logic [15:0]         base_q, next_q;
  logic [3:0]          reduce_q;
  logic [Slots-1:0]    occupied_q, loaded_q;
  way_t                cfg_q [Slots];
  /* verilator lint_off UNUSEDSIGNAL */  // other fields of theirs
  way_t                find_cfg, head_cfg, oldest_cfg;
  /* verilator lint_on UNUSEDSIGNAL */
  logic [AccW-2:0]     limit_q [Slots];
  logic [Lanes*32-1:0] bias_q [Slots];
  logic [31:0]         draw_q [Slots];   // number of the first job's draws
  logic [16*Slots-1:0] first_q;          // first tag
  logic [JobsW*Slots-1:0] jobs_q, left_q;  // jobs, jobs not finished

  // ---- descriptors ----------------
  logic [CodeW-1:0] code;
  logic [AccW-2:0]  limit;

  ran_desc_check #(
    .Rows (Rows),
    .Lanes(Lanes),
    .AccW (AccW)
  ) u_check (
    .way_i     (desc_cfg_i),
    .desc_i    (desc_i),
    .code_o    (code),
    .limit_o   (limit)
  );

  assign newest = oldest_q + count_q[SlotW-1:0];
  assign desc_ready_o = (count_q == '0) ||
                        (count_q != (SlotW+1)'(Slots) && desc_i.reduce_factor == reduce_q);
  assign accept_o = desc_valid_i && desc_ready_o && (code == ran_pkg::RspOk);
  assign accept_slot_o = newest;
  assign reduce_factor_o = reduce_q;
  assign base_o = base_q;
  assign covered_o = next_q - base_q;
  assign busy_o = count_q != '0;

  // ---- slot of a tag ----------------
  function automatic logic [Slots-1:0] slot_of(input logic [15:0] tag, input logic [Slots-1:0] occupied,
                                               input logic [16*Slots-1:0] first,
                                               input logic [JobsW*Slots-1:0] jobs);
    logic [Slots-1:0] hit;
    for (int s = 0; s < Slots; s++) begin
      hit[s] = occupied[s] && (16'(tag - first[16*s +: 16]) < 16'(jobs[JobsW*s +: JobsW]));
    end
    return hit;
  endfunction

  function automatic logic [SlotW-1:0] number_of(input logic [Slots-1:0] hit);
    logic [SlotW-1:0] number;
    number = '0;
    for (int s = 0; s < Slots; s++) if (hit[s]) number = SlotW'(s);
    return number;
  endfunction

  logic [Slots-1:0] cancel_hit;
  assign find_slot_o = number_of(slot_of(find_tag_i, occupied_q, first_q, jobs_q));
  assign find_cfg = cfg_q[find_slot_o];
  assign find_start_o = find_cfg.start;
  assign cancel_hit = cancel_valid_i ? slot_of(cancel_tag_i, occupied_q, first_q, jobs_q) : '0;
  assign cancelled_o = cancel_hit != '0;

  assign head_cfg = cfg_q[head_slot_i];
  assign head_start_o = head_cfg.start;
  assign head_lanes_o = head_cfg.lanes;
  assign head_limit_o = limit_q[head_slot_i];
  assign head_loaded_o = loaded_q[head_slot_i];
  assign head_bias_o = bias_q[head_slot_i];
  assign head_number_o = draw_q[head_slot_i] + 32'(16'(head_tag_i - first_q[16*head_slot_i +: 16]));
  assign sum_cfg_o = cfg_q[sum_slot_i];
  assign quant_cfg_o = cfg_q[quant_slot_i];

  // ---- bias: for the oldest slot that waits for one ----------------
  function automatic logic [SlotW:0] oldest_of(input logic [Slots-1:0] wanted, input logic [SlotW-1:0] oldest);
    logic [SlotW:0] found;
    found = '0;
    for (int i = Slots - 1; i >= 0; i--) begin
      if (wanted[SlotW'(oldest + SlotW'(i))]) found = {1'b1, SlotW'(oldest + SlotW'(i))};
    end
    return found;
  endfunction

  logic [Slots-1:0] wants_bias;
  logic [SlotW:0]   bias_slot;
  for (genvar s = 0; s < Slots; s++) begin : gen_wants
    assign wants_bias[s] = occupied_q[s] && !loaded_q[s];
  end
  assign bias_slot = oldest_of(wants_bias, oldest_q);
  assign bias_wanted_o = bias_slot[SlotW];

  // ---- retirement ----------------
  assign oldest_cfg = cfg_q[oldest_q];
  assign retire_last_o = oldest_cfg.stat_last;
  assign retire_slot_o = oldest_q;
  assign retire_o = (count_q != '0) && (left_q[JobsW*oldest_q +: JobsW] == '0) && loaded_q[oldest_q] &&
                    (!retire_last_o || record_free_i);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      oldest_q    <= '0;
      count_q     <= '0;
      base_q      <= '0;
      next_q      <= '0;
      reduce_q    <= 4'd1;
      rsp_valid_o <= 1'b0;
      rsp_code_o  <= '0;
    end else begin
      rsp_valid_o <= desc_valid_i && desc_ready_o;
      if (desc_valid_i && desc_ready_o) rsp_code_o <= code;
      if (accept_o) begin
        reduce_q <= desc_i.reduce_factor;
        next_q   <= next_q + desc_i.n_jobs;
      end
      if (retire_o) begin
        oldest_q <= oldest_q + 1'b1;
        base_q   <= base_q + 16'(jobs_q[JobsW*oldest_q +: JobsW]);
      end
      count_q <= count_q + (SlotW+1)'(accept_o) - (SlotW+1)'(retire_o);
    end
  end

  for (genvar s = 0; s < Slots; s++) begin : gen_slot
    logic take, bias_here;
    assign take = accept_o && newest == SlotW'(s);
    assign bias_here = bias_done_i && bias_slot[SlotW-1:0] == SlotW'(s);
    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni) begin
        occupied_q[s]       <= 1'b0;
        loaded_q[s]         <= 1'b0;
        cfg_q[s]            <= '0;
        limit_q[s]          <= '0;
        bias_q[s]           <= '0;
        draw_q[s]           <= '0;
        first_q[16*s +: 16] <= '0;
        jobs_q[JobsW*s +: JobsW] <= '0;
        left_q[JobsW*s +: JobsW] <= '0;
      end else if (take) begin
        occupied_q[s]       <= 1'b1;
        loaded_q[s]         <= desc_cfg_i.start != ran_pkg::StartBias;
        cfg_q[s]            <= desc_cfg_i;
        limit_q[s]          <= limit;
        draw_q[s]           <= desc_draw_i;
        first_q[16*s +: 16] <= next_q;
        jobs_q[JobsW*s +: JobsW] <= desc_i.n_jobs[JobsW-1:0];
        left_q[JobsW*s +: JobsW] <= desc_i.n_jobs[JobsW-1:0];
      end else begin
        if (retire_o && oldest_q == SlotW'(s)) occupied_q[s] <= 1'b0;
        if (bias_here) begin
          loaded_q[s] <= 1'b1;
          bias_q[s]   <= bias_words_i;
        end
        left_q[JobsW*s +: JobsW] <= left_q[JobsW*s +: JobsW] - JobsW'(cancel_hit[s]) -
                                    JobsW'(job_done_i && quant_slot_i == SlotW'(s));
      end
    end
  end
endmodule
