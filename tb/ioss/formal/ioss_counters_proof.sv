// Counters of the IOSS core at any value, the wrap included (docs/ioss/reference.md, Counters): proved with `make prove BLOCK=ioss`.
//
// Registers start with anything at all. One counter is read all the time: what it holds is what it held, and one more after its event, modulo
// 2^32, or 0 after a clear. Data come two cycles after an event: one for the counter, one for the read port. A skip counter changes at
// the end of a good job alone, by that job's accumulator, which is empty after another end; that it takes every value is a cover.
module ioss_counters_proof (
  input logic clk_i
);
  localparam int Rows = 1;
  (* anyconst *) logic       whole;      // a counter of the core, not of a row
  (* anyconst *) logic [2:0] index;
  (* anyseq *) logic            clear, active, tile_end, tile_refused, job_end, job_good, job_commit;
  (* anyseq *) logic            desc_refused, vec_wait;
  (* anyseq *) logic [Rows-1:0] issue, null_issue, stall_operand, stall_ran, group;
  logic [2:0]  step_q;
  logic [31:0] data, data_q;
  logic        adds, adds1_q, adds2_q, clear1_q, clear2_q;
  logic [7:0]  whole_event;
  logic [3:0]  row_event;
  logic [4:0]  end_q;     // a good job of this row ended so many cycles ago, less one
  logic        skips;
  assign whole_event = {vec_wait && active, desc_refused, job_end && !job_good, job_good && !job_commit, job_commit,
                        tile_refused, tile_end, active};
  assign row_event = {active && stall_ran[0], active && stall_operand[0], null_issue[0], issue[0]};
  assign skips = !whole && index[2];
  assign adds = whole ? whole_event[index] : (!index[2] && row_event[index[1:0]]);
  ioss_counters #(.Rows(Rows)) u_counters (
    .clk_i, .rst_ni(1'b1), .ctr_addr_i(whole ? {6'h20, index} : {6'd0, index}), .ctr_data_o(data),
    .ctr_clear_i(clear), .active_i(active), .issue_i(issue), .null_i(null_issue), .stall_operand_i(stall_operand),
    .stall_ran_i(stall_ran), .ld_beat_i('0), .ld_group_i(group), .ld_nz_i('0), .ld_map_i('0), .ld_live_i('0),
    .ld_masked_i(1'b0), .job_x_slices_i('0), .job_w_slices_i('0), .job_min_order_i('0), .tile_end_i(tile_end),
    .tile_refused_i(tile_refused), .job_end_i(job_end), .job_good_i(job_good), .job_commit_i(job_commit),
    .desc_refused_i(desc_refused), .vec_wait_i(vec_wait)
  );
  initial step_q = 3'd0;
  always @(posedge clk_i) begin
    if (step_q != 3'd6) step_q <= step_q + 3'd1;
    data_q <= data;
    {adds2_q, adds1_q} <= {adds1_q, adds};
    {clear2_q, clear1_q} <= {clear1_q, clear};
    end_q <= {end_q[3:0], job_end && job_good && group[0]};
  end
  always @(posedge clk_i) if (step_q == 3'd6) begin
    if (!skips) counts: assert (data == (clear2_q ? 32'd0 : data_q + 32'(adds2_q)));
    if (skips && !clear2_q && !end_q[4]) skips_stay: assert (data == data_q);
    if (skips && clear2_q) skips_clear: assert (data == '0);
    wraps_of_a_row: cover (!whole && !skips && data == '0 && data_q == '1 && !clear2_q);
    wraps_of_the_core: cover (whole && data == '0 && data_q == '1 && !clear2_q);
    skips_high: cover (skips && data == 32'hffff_fff0 && data_q == 32'hffff_fdf0);
    skips_wrap: cover (skips && data < 32'd16 && data_q[31] && !clear2_q);
  end
endmodule
