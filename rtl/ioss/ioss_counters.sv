// Counters of the IOSS core with their read port (docs/ioss/reference.md, Counters).
//
// Skips are counted when a vector is loaded: a beat is registered, its pairs are counted into a register and from there into an
// accumulator of its row, and the accumulators of a group are added to the counters when the job turns out good, or dropped when it is
// refused.
module ioss_counters #(
  parameter int Rows = 8,
  parameter int Depth = 128
) (
  input  logic clk_i,
  input  logic rst_ni,

  input  logic [ioss_pkg::CtrAddrW-1:0] ctr_addr_i,
  output logic [ioss_pkg::CtrW-1:0]     ctr_data_o,
  input  logic                          ctr_clear_i,

  input  logic            active_i,
  input  logic [Rows-1:0] issue_i,
  input  logic [Rows-1:0] null_i,
  input  logic [Rows-1:0] stall_operand_i,
  input  logic [Rows-1:0] stall_ran_i,

  input  logic [Rows-1:0] ld_beat_i,
  input  logic [Rows-1:0] ld_group_i,
  input  logic [trainslice_pkg::BeatW-1:0]      ld_nz_i,
  input  logic [trainslice_pkg::BeatW-1:0]      ld_map_i,
  input  logic [trainslice_pkg::BeatValues-1:0] ld_live_i,
  input  logic            ld_masked_i,
  input  logic [2:0]      job_x_slices_i,
  input  logic [2:0]      job_w_slices_i,
  input  logic [2:0]      job_min_order_i,

  input  logic tile_end_i,
  input  logic tile_refused_i,
  input  logic job_end_i,
  input  logic job_good_i,
  input  logic job_commit_i,
  input  logic desc_refused_i,
  input  logic vec_wait_i
);
  localparam int CtrW = ioss_pkg::CtrW;
  localparam int Causes = ioss_pkg::SkipCauses;
  localparam int BeatW = trainslice_pkg::BeatW;
  localparam int Values = trainslice_pkg::BeatValues;
  localparam int CountW = ioss_pkg::CountW;
  localparam int AccW = $clog2(16 * Depth + 1);   // pairs of one member of one job: 16 of each element

  // ---- skips ----------------
  logic [BeatW-1:0]  nz_q, map_q;
  logic [Values-1:0] live_q;
  logic [2:0]        x_slices_q, w_slices_q, min_order_q;
  logic              masked_q;
  logic [Rows-1:0]   beat_row_q, count_row_q, group_q, flush_q;
  logic [Rows-1:0]   done_q;   // the job has ended, its last beat is being counted
  logic              end_q, good_q, done_good_q, flush_good_q;
  logic [Causes*CountW-1:0] count, count_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      nz_q         <= '0;
      map_q        <= '0;
      live_q       <= '0;
      x_slices_q   <= '0;
      w_slices_q   <= '0;
      min_order_q  <= '0;
      masked_q     <= 1'b0;
      beat_row_q   <= '0;
      group_q      <= '0;
      end_q        <= 1'b0;
      good_q       <= 1'b0;
      count_row_q  <= '0;
      count_q      <= '0;
      done_q       <= '0;
      done_good_q  <= 1'b0;
      flush_q      <= '0;
      flush_good_q <= 1'b0;
    end else begin
      beat_row_q  <= ld_beat_i;
      count_row_q <= beat_row_q;
      if (beat_row_q != '0) count_q <= count;
      if (ld_beat_i != '0) begin
        nz_q        <= ld_nz_i;
        map_q       <= ld_map_i;
        live_q      <= ld_live_i;
        x_slices_q  <= job_x_slices_i;
        w_slices_q  <= job_w_slices_i;
        min_order_q <= job_min_order_i;
        masked_q    <= ld_masked_i;
      end
      group_q      <= ld_group_i;
      end_q        <= job_end_i;
      good_q       <= job_good_i;
      done_q       <= end_q ? group_q : '0;
      done_good_q  <= good_q;
      flush_q      <= done_q;
      flush_good_q <= done_good_q;
    end
  end

  ioss_skip_count u_count (
    .x_nz_i     (nz_q),
    .w_nz_i     (map_q),
    .live_i     (live_q),
    .x_slices_i (x_slices_q),
    .w_slices_i (w_slices_q),
    .min_order_i(min_order_q),
    .masked_i   (masked_q),
    .count_o    (count)
  );

  // ---- rows ----------------
  logic [CtrW-1:0] row_data_q [Rows];
  for (genvar r = 0; r < Rows; r++) begin : gen_row
    logic [CtrW-1:0] issues_q, nulls_q, stall_operand_q, stall_ran_q;
    logic [CtrW-1:0] skip_q [Causes];
    logic [AccW-1:0] acc_q [Causes];

    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni) begin
        issues_q        <= '0;
        nulls_q         <= '0;
        stall_operand_q <= '0;
        stall_ran_q     <= '0;
        for (int c = 0; c < Causes; c++) begin
          skip_q[c] <= '0;
          acc_q[c]  <= '0;
        end
      end else begin
        if (issue_i[r]) issues_q <= issues_q + 1'b1;
        if (null_i[r]) nulls_q <= nulls_q + 1'b1;
        if (active_i && stall_operand_i[r]) stall_operand_q <= stall_operand_q + 1'b1;
        if (active_i && stall_ran_i[r]) stall_ran_q <= stall_ran_q + 1'b1;
        if (count_row_q[r] || flush_q[r]) begin
          for (int c = 0; c < Causes; c++) begin
            acc_q[c] <= (flush_q[r] ? '0 : acc_q[c]) + (count_row_q[r] ? AccW'(count_q[CountW * c +: CountW]) : '0);
            if (flush_q[r] && flush_good_q) skip_q[c] <= skip_q[c] + CtrW'(acc_q[c]);
          end
        end
        if (ctr_clear_i) begin
          issues_q        <= '0;
          nulls_q         <= '0;
          stall_operand_q <= '0;
          stall_ran_q     <= '0;
          for (int c = 0; c < Causes; c++) skip_q[c] <= '0;
        end
      end
    end

    // What this row contributes to the read port: zero unless it is addressed.
    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni) begin
        row_data_q[r] <= '0;
      end else if (ctr_addr_i[8] || ctr_addr_i[7:3] != 5'(r)) begin
        row_data_q[r] <= '0;
      end else begin
        case (ctr_addr_i[2:0])
          3'd0:    row_data_q[r] <= issues_q;
          3'd1:    row_data_q[r] <= nulls_q;
          3'd2:    row_data_q[r] <= stall_operand_q;
          3'd3:    row_data_q[r] <= stall_ran_q;
          3'd4:    row_data_q[r] <= skip_q[0];
          3'd5:    row_data_q[r] <= skip_q[1];
          3'd6:    row_data_q[r] <= skip_q[2];
          default: row_data_q[r] <= skip_q[3];
        endcase
      end
    end
  end

  // ---- whole core ----------------
  logic [7:0]      event_now;
  logic [CtrW-1:0] global_q [8];
  assign event_now = {vec_wait_i && active_i, desc_refused_i, job_end_i && !job_good_i, job_good_i && !job_commit_i,
                      job_commit_i, tile_refused_i, tile_end_i, active_i};

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      for (int c = 0; c < 8; c++) global_q[c] <= '0;
    end else begin
      for (int c = 0; c < 8; c++) begin
        if (ctr_clear_i) begin
          global_q[c] <= '0;
        end else if (event_now[c]) begin
          global_q[c] <= global_q[c] + 1'b1;
        end
      end
    end
  end

  // ---- read ----------------
  logic [CtrW-1:0] global_data_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      global_data_q <= '0;
    end else begin
      global_data_q <= (ctr_addr_i[8:3] == 6'h20) ? global_q[ctr_addr_i[2:0]] : '0;
    end
  end

  always_comb begin : p_read
    logic [CtrW-1:0] data;
    data = global_data_q;
    for (int r = 0; r < Rows; r++) data = data | row_data_q[r];
    ctr_data_o = data;
  end
endmodule
