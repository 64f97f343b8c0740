`include "ts_assert.svh"

// In-Out Slice Skipping core: Rows x Lanes multipliers of 4b x 4b that skip zero slice pairs (docs/ioss/README.md).
//
// Descriptors announce tiles, the tile stream fills one of two banks in every row, the vector stream feeds jobs to the rows, and every row sends
// its slice products on a valid/ready stream of its own. Latency: issue at the earliest one cycle after a job's last beat, product two cycles
// after its issue. Accumulator width is the receiver's affair.
module ioss_core
  import trainslice_pkg::operands_t, ioss_pkg::tile_t;
#(
  parameter int Rows = 8,     // power of two, up to 32
  parameter int Lanes = 16,   // 8, 16 or 32: a beat must hold whole granules of an element
  parameter int Depth = 128   // power of two, 32..512
) (
  input  logic clk_i,
  input  logic rst_ni,

  // Descriptors
  input  logic        desc_valid_i,
  output logic        desc_ready_o,
  input  logic [2:0]  desc_x_slices_i,
  input  logic [2:0]  desc_w_slices_i,
  input  logic        desc_x_unsigned_i,
  input  logic        desc_w_unsigned_i,
  input  logic [2:0]  desc_min_order_i,
  input  logic        desc_compensate_i,
  input  logic [3:0]  desc_reduce_factor_i,
  input  logic [15:0] desc_k_len_i,
  input  logic [15:0] desc_n_jobs_i,
  output logic        rsp_valid_o,
  output logic [ioss_pkg::CodeW-1:0] rsp_code_o,

  // Tile stream
  input  logic        tile_valid_i,
  output logic        tile_ready_o,
  input  logic [trainslice_pkg::BeatW-1:0] tile_data_i,
  input  logic        tile_last_i,
  output logic        tile_err_o,

  // Vector stream
  input  logic        vec_valid_i,
  output logic        vec_ready_o,
  input  logic [trainslice_pkg::BeatW-1:0] vec_data_i,
  input  logic        vec_last_i,
  input  logic [trainslice_pkg::TagW-1:0]  vec_tag_i,
  input  logic [Lanes-1:0]                 vec_mask_i,
  output logic        job_err_valid_o,
  output logic [ioss_pkg::CodeW-1:0]       job_err_code_o,
  output logic [trainslice_pkg::TagW-1:0]  job_err_tag_o,

  // Product streams, one per row
  output logic [Rows-1:0] prod_valid_o,
  input  logic [Rows-1:0] prod_ready_i,
  output logic [Rows*Lanes*trainslice_pkg::ProdW-1:0] prod_data_o,
  output logic [Rows*trainslice_pkg::OrderW-1:0]      prod_order_o,
  output logic [Rows-1:0] prod_last_o,
  output logic [Rows-1:0] prod_null_o,
  output logic [Rows-1:0] prod_bank_o,
  output logic [Rows*trainslice_pkg::TagW-1:0] prod_tag_o,
  output logic [Rows*Lanes-1:0]                prod_mask_o,

  // Jobs without work
  output logic        byp_valid_o,
  input  logic        byp_ready_i,
  output logic [trainslice_pkg::TagW-1:0] byp_tag_o,
  output logic [Lanes-1:0]                byp_mask_o,

  // Observation of the issue stage
  output logic [Rows-1:0]   issue_valid_o,
  output logic [Rows-1:0]   issue_null_o,
  output logic [Rows*ioss_pkg::KIdxW-1:0] issue_k_o,
  output logic [Rows*2-1:0] issue_i_o,
  output logic [Rows*2-1:0] issue_j_o,
  output logic [Rows*5-1:0] issue_x_o,
  output logic [Rows*trainslice_pkg::TagW-1:0] issue_tag_o,

  // Counters
  input  logic [ioss_pkg::CtrAddrW-1:0] ctr_addr_i,
  output logic [ioss_pkg::CtrW-1:0]     ctr_data_o,
  input  logic        ctr_clear_i,

  output logic        busy_o
);
  localparam int BeatW = trainslice_pkg::BeatW;
  localparam int Values = trainslice_pkg::BeatValues;
  localparam int Groups = trainslice_pkg::Groups;
  localparam int ElemW = trainslice_pkg::ElemW;
  localparam int ProdW = trainslice_pkg::ProdW;
  localparam int OrderW = trainslice_pkg::OrderW;
  localparam int TagW = trainslice_pkg::TagW;
  localparam int KIdxW = ioss_pkg::KIdxW;
  localparam int TileSwW = $clog2(Depth * Lanes / Values);
  localparam int VecSwW = (Depth == Values) ? 1 : $clog2(Depth / Values);  // at least one bit

  // ---- descriptor and banks ----------------
  operands_t desc, pend;
  tile_t     load, job;
  logic      pend_valid, desc_refused, open, restart, drained, active;
  logic      load_active, load_first, load_bank, load_step, load_end, load_bad;
  logic      job_ready, job_bad, job_bank, next_bank, job_end, job_commit, job_good;
  assign desc = {desc_x_slices_i, desc_w_slices_i, desc_x_unsigned_i, desc_w_unsigned_i, desc_min_order_i,
                 desc_compensate_i, desc_reduce_factor_i, desc_k_len_i, desc_n_jobs_i};

  logic [Rows-1:0] row_free, row_empty, row_idle, row_end, row_end_bank;
  logic [Rows-1:0] row_stall_operand, row_stall_ran;

  ioss_desc #(
    .Rows (Rows),
    .Depth(Depth)
  ) u_desc (
    .clk_i,
    .rst_ni,
    .desc_valid_i,
    .desc_ready_o,
    .desc_i      (desc),
    .rsp_valid_o,
    .rsp_code_o,
    .refused_o   (desc_refused),
    .pend_valid_o(pend_valid),
    .pend_o      (pend),
    .take_i      (open)
  );

  assign drained = (row_idle == '1) && !byp_valid_o;

  ioss_banks #(
    .Rows(Rows)
  ) u_banks (
    .clk_i,
    .rst_ni,
    .pend_valid_i  (pend_valid),
    .pend_i        (pend),
    .open_o        (open),
    .restart_o     (restart),
    .drained_i     (drained),
    .load_active_o (load_active),
    .load_first_o  (load_first),
    .load_bank_o   (load_bank),
    .load_o        (load),
    .load_step_i   (load_step),
    .load_end_i    (load_end),
    .load_bad_i    (load_bad),
    .job_ready_o   (job_ready),
    .job_bad_o     (job_bad),
    .job_bank_o    (job_bank),
    .next_bank_o   (next_bank),
    .job_o         (job),
    .job_end_i     (job_end),
    .job_commit_i  (job_commit),
    .row_end_i     (row_end),
    .row_end_bank_i(row_end_bank),
    .active_o      (active)
  );

  // ---- tile loading ----------------
  logic                   wr_en;
  logic [2:0]             wr_member;
  logic [Rows-1:0]        wr_row;
  logic [TileSwW-1:0]     wr_sw;
  logic [Groups-1:0]      wr_we;
  logic [Values*ElemW-1:0] wr_elem;
  logic [BeatW-1:0]       wr_nz;

  ioss_tile_loader #(
    .Rows     (Rows),
    .LanesLog2($clog2(Lanes)),
    .SwW      (TileSwW)
  ) u_tile_loader (
    .clk_i,
    .rst_ni,
    .tile_valid_i,
    .tile_ready_o,
    .tile_data_i,
    .tile_last_i,
    .tile_err_o,
    .load_active_i(load_active),
    .load_first_i (load_first),
    .load_i       (load),
    .load_step_o  (load_step),
    .load_end_o   (load_end),
    .load_bad_o   (load_bad),
    .wr_en_o      (wr_en),
    .wr_member_o  (wr_member),
    .wr_row_o     (wr_row),
    .wr_sw_o      (wr_sw),
    .wr_we_o      (wr_we),
    .wr_elem_o    (wr_elem),
    .wr_nz_o      (wr_nz)
  );

  // ---- dispatch ----------------
  logic [Rows-1:0]        ld_start, ld_beat, ld_commit, ld_group;
  logic [VecSwW-1:0]      ld_sw;
  logic [Groups-1:0]      ld_we;
  logic [Values-1:0]      ld_live;
  logic [Values*ElemW-1:0] ld_elem;
  logic [BeatW-1:0]       ld_nz;
  logic [TagW-1:0]        ld_tag;
  logic [Lanes-1:0]       ld_mask;
  logic [2:0]             next_member;
  logic [VecSwW-1:0]      next_sw;
  logic [BeatW-1:0]       map, ld_map;
  logic [Values-1:0]      ld_work;

  ioss_dispatch #(
    .Rows (Rows),
    .Lanes(Lanes),
    .SwW  (VecSwW)
  ) u_dispatch (
    .clk_i,
    .rst_ni,
    .vec_valid_i,
    .vec_ready_o,
    .vec_data_i,
    .vec_last_i,
    .vec_tag_i,
    .vec_mask_i,
    .job_err_valid_o,
    .job_err_code_o,
    .job_err_tag_o,
    .byp_valid_o,
    .byp_ready_i,
    .byp_tag_o,
    .byp_mask_o,
    .job_ready_i  (job_ready),
    .job_bad_i    (job_bad),
    .job_i        (job),
    .job_end_o    (job_end),
    .job_commit_o (job_commit),
    .job_good_o   (job_good),
    .row_free_i   (row_free),
    .row_empty_i  (row_empty),
    .beat_any_i   (ld_work != '0),
    .ld_start_o   (ld_start),
    .ld_beat_o    (ld_beat),
    .ld_commit_o  (ld_commit),
    .ld_group_o   (ld_group),
    .ld_sw_o      (ld_sw),
    .ld_we_o      (ld_we),
    .ld_live_o    (ld_live),
    .ld_elem_o    (ld_elem),
    .ld_nz_o      (ld_nz),
    .next_member_o(next_member),
    .next_sw_o    (next_sw),
    .ld_tag_o     (ld_tag),
    .ld_mask_o    (ld_mask)
  );

  // ---- map ----------------
  ioss_map #(
    .Rows   (Rows),
    .Lanes  (Lanes),
    .Depth  (Depth),
    .TileSwW(TileSwW),
    .VecSwW (VecSwW)
  ) u_map (
    .clk_i,
    .rst_ni,
    .wr_en_i      (wr_en),
    .wr_bank_i    (load_bank),
    .wr_member_i  (wr_member),
    .wr_sw_i      (wr_sw),
    .wr_we_i      (wr_we),
    .wr_nz_i      (wr_nz),
    .next_bank_i  (next_bank),
    .next_member_i(next_member),
    .next_sw_i    (next_sw),
    .mask_i       (ld_mask),
    .map_o        (map)
  );
  assign ld_map = (ld_beat != '0) ? map : '0;

  // The beat that was loaded last, for the row that reads the word it went into.
  logic [Groups-1:0]       fwd_we_q;
  logic [Values*ElemW-1:0] fwd_elem_q;
  logic [BeatW-1:0]        fwd_map_q;
  always_ff @(posedge clk_i) begin
    if (ld_beat != '0) begin
      fwd_we_q   <= ld_we;
      fwd_elem_q <= ld_elem;
      fwd_map_q  <= ld_map;
    end
  end

  // ---- rows ----------------
  for (genvar r = 0; r < Rows; r++) begin : gen_row
    ioss_row #(
      .Lanes  (Lanes),
      .Depth  (Depth),
      .TileSwW(TileSwW),
      .VecSwW (VecSwW)
    ) u_row (
      .clk_i,
      .rst_ni,
      .restart_i      (restart),
      .wr_en_i        (wr_row[r]),
      .wr_bank_i      (load_bank),
      .wr_sw_i        (wr_sw),
      .wr_we_i        (wr_we),
      .wr_elem_i      (wr_elem),
      .ld_start_i     (ld_start[r]),
      .ld_beat_i      (ld_beat[r]),
      .ld_commit_i    (ld_commit[r]),
      .ld_sw_i        (ld_sw),
      .ld_we_i        (ld_we),
      .ld_elem_i      (ld_elem),
      .ld_work_i      (ld_work),
      .ld_map_i       (ld_map),
      .ld_tag_i       (ld_tag),
      .ld_mask_i      (ld_mask),
      .ld_bank_i      (job_bank),
      .ld_min_order_i (job.desc.min_order),
      .ld_compensate_i(job.desc.compensate),
      .fwd_we_i       (fwd_we_q),
      .fwd_elem_i     (fwd_elem_q),
      .fwd_map_i      (fwd_map_q),
      .free_o         (row_free[r]),
      .empty_o        (row_empty[r]),
      .idle_o         (row_idle[r]),
      .end_o          (row_end[r]),
      .end_bank_o     (row_end_bank[r]),
      .stall_operand_o(row_stall_operand[r]),
      .stall_ran_o    (row_stall_ran[r]),
      .prod_valid_o   (prod_valid_o[r]),
      .prod_ready_i   (prod_ready_i[r]),
      .prod_data_o    (prod_data_o[Lanes * ProdW * r +: Lanes * ProdW]),
      .prod_order_o   (prod_order_o[OrderW * r +: OrderW]),
      .prod_last_o    (prod_last_o[r]),
      .prod_null_o    (prod_null_o[r]),
      .prod_bank_o    (prod_bank_o[r]),
      .prod_tag_o     (prod_tag_o[TagW * r +: TagW]),
      .prod_mask_o    (prod_mask_o[Lanes * r +: Lanes]),
      .issue_valid_o  (issue_valid_o[r]),
      .issue_null_o   (issue_null_o[r]),
      .issue_k_o      (issue_k_o[KIdxW * r +: KIdxW]),
      .issue_i_o      (issue_i_o[2 * r +: 2]),
      .issue_j_o      (issue_j_o[2 * r +: 2]),
      .issue_x_o      (issue_x_o[5 * r +: 5]),
      .issue_tag_o    (issue_tag_o[TagW * r +: TagW])
    );
  end

  // Elements of a beat that have a pair to be issued: bit p is position p of the superword.
  function automatic logic [Values-1:0] elements_with_work(
      input logic [BeatW-1:0] x_nz, input logic [BeatW-1:0] w_nz, input logic [Values-1:0] live,
      input logic [OrderW-1:0] min_order);
    logic [Values-1:0] found;
    found = '0;
    if (w_nz != '0) begin
      for (int i = 0; i < trainslice_pkg::MaxSlices; i++) begin
        for (int j = 0; j < trainslice_pkg::MaxSlices; j++) begin
          if (i + j >= 32'(min_order)) found = found | (x_nz[Values * i +: Values] & w_nz[Values * j +: Values]);
        end
      end
    end
    return found & live;
  endfunction
  assign ld_work = elements_with_work(ld_nz, ld_map, ld_live, job.desc.min_order);

  // ---- counters ----------------
  ioss_counters #(
    .Rows (Rows),
    .Depth(Depth)
  ) u_counters (
    .clk_i,
    .rst_ni,
    .ctr_addr_i,
    .ctr_data_o,
    .ctr_clear_i,
    .active_i       (active),
    .issue_i        (issue_valid_o),
    .null_i         (issue_null_o),
    .stall_operand_i(row_stall_operand),
    .stall_ran_i    (row_stall_ran),
    .ld_beat_i      (ld_beat),
    .ld_group_i     (ld_group),
    .ld_nz_i        (ld_nz),
    .ld_map_i       (ld_map),
    .ld_live_i      (ld_live),
    .ld_masked_i    (ld_mask == '1),
    .job_x_slices_i (job.desc.x_slices),
    .job_w_slices_i (job.desc.w_slices),
    .job_min_order_i(job.desc.min_order),
    .tile_end_i     (load_end),
    .tile_refused_i (load_end && load_bad),
    .job_end_i      (job_end),
    .job_good_i     (job_good),
    .job_commit_i   (job_commit),
    .desc_refused_i (desc_refused),
    .vec_wait_i     (vec_valid_i && !vec_ready_o)
  );

  assign busy_o = pend_valid || active || !drained;

  `TS_ASSERT(RestartOnlyDrained, !restart || (row_idle == '1 && !active))
endmodule
