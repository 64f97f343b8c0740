`include "ts_assert.svh"

// LAPS: fraction length and slices of every layer and tensor class (docs/laps/README.md). One machine serves register accesses, updates and
// queries, in this order of preference; an update or a query takes it for four cycles: A (taken), then three phases.
module laps_core
  import laps_pkg::ref_t, laps_pkg::entry_t, laps_pkg::band_t, laps_pkg::rules_t, laps_pkg::limits_t;
  import laps_pkg::tolerance_t, trainslice_pkg::stat_t;
#(
  parameter int Layers = 16
) (
  input  logic clk_i,
  input  logic rst_ni,
  // registers
  input  logic        reg_valid_i,
  output logic        reg_ready_o,
  input  logic        reg_write_i,
  input  logic [11:0] reg_addr_i,
  input  logic [31:0] reg_wdata_i,
  output logic        reg_rsp_valid_o,   // pulse
  output logic [1:0]  reg_rsp_code_o,
  output logic [31:0] reg_rsp_data_o,
  // statistics of a tensor
  input  logic        upd_valid_i,
  output logic        upd_ready_o,
  input  logic [laps_pkg::LayerW-1:0] upd_layer_i,
  input  logic [1:0]  upd_class_i,
  input  logic [31:0] upd_values_i,
  input  logic [31:0] upd_overflow_i,
  input  logic [31:0] upd_zeros_i,
  input  logic [5:0]  upd_max_bit_i,
  input  logic [47:0] upd_sum_abs_i,
  output logic        upd_rsp_valid_o,   // pulse
  output logic [1:0]  upd_rsp_code_o,
  output logic [7:0]  upd_rsp_fl_o,      // signed
  output logic [2:0]  upd_rsp_n_o,
  output logic [laps_pkg::EventW-1:0] upd_rsp_events_o,
  // query of a product: {layer, class} of x, w, y
  input  logic        ord_valid_i,
  output logic        ord_ready_o,
  input  ref_t        ord_x_i,
  input  ref_t        ord_w_i,
  input  ref_t        ord_y_i,
  input  logic [15:0] ord_k_i,
  output logic        ord_rsp_valid_o,   // pulse
  output logic [1:0]  ord_rsp_code_o,
  output logic [1:0]  ord_rsp_order_o,
  output logic [9:0]  ord_rsp_shift_o,   // signed
  output logic [8:0]  ord_rsp_n_o,       // y, w, x
  output logic [23:0] ord_rsp_fl_o,      // y, w, x
  input  logic        step_i,            // pulse
  // observation, with the answer of an accepted update
  output logic        obs_valid_o,
  output logic [laps_pkg::EntryW-1:0]  obs_entry_o,
  output logic [laps_pkg::SignalW-1:0] obs_mean_o,
  output logic [laps_pkg::TolW-1:0]    obs_tolerance_o,
  output logic        obs_over_o,
  output logic        busy_o
);
  // ---- machine ----------------
  logic [1:0] phase_q;      // 0: idle; 1 .. 3: cycles A + 1 .. A + 3
  logic       query_q;      // what it is busy with
  logic [1:0] code_q;
  logic       idle, reg_take, upd_take, ord_take, good;
  assign idle = phase_q == 2'd0;
  assign busy_o = !idle;
  assign reg_ready_o = idle;
  assign upd_ready_o = idle && !reg_valid_i;
  assign ord_ready_o = idle && !reg_valid_i && !upd_valid_i;
  assign reg_take = reg_valid_i && reg_ready_o;
  assign upd_take = upd_valid_i && upd_ready_o;
  assign ord_take = ord_valid_i && ord_ready_o;
  assign good = code_q == laps_pkg::RspOk;

  function automatic logic no_layer(input logic [laps_pkg::LayerW-1:0] layer);
    return {1'b0, layer} >= 9'(Layers);
  endfunction
  logic bad_stats, bad_ref;
  ref_t  upd_ref;
  stat_t stat;
  assign upd_ref = {upd_layer_i, upd_class_i};
  assign stat = {upd_values_i, upd_overflow_i, upd_zeros_i, upd_max_bit_i, upd_sum_abs_i};
  assign bad_stats = stat.values == '0 || stat.overflow > stat.values || stat.zeros > stat.values ||
      stat.max_bit > laps_pkg::MaxBit || ((stat.zeros == stat.values) != (stat.sum_abs == '0));
  assign bad_ref = no_layer(ord_x_i.layer) || no_layer(ord_w_i.layer) || no_layer(ord_y_i.layer);
  logic [1:0] upd_code, ord_code;
  assign upd_code = no_layer(upd_layer_i) ? laps_pkg::RspLayer :
      bad_stats ? laps_pkg::RspStats : laps_pkg::RspOk;
  assign ord_code = bad_ref ? laps_pkg::RspLayer :
      (ord_k_i == '0) ? laps_pkg::RspLength : laps_pkg::RspOk;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      phase_q <= '0;
      query_q <= 1'b0;
      code_q  <= '0;
    end else if (!idle) begin
      phase_q <= phase_q + 2'd1;
    end else if (upd_take || ord_take) begin
      phase_q <= 2'd1;
      query_q <= ord_take;
      code_q  <= ord_take ? ord_code : upd_code;
    end
  end

  // ---- table ----------------
  ref_t              reg_ref, table_ref, ref_q;
  entry_t            entry, entry_d;
  logic [31:0]       word;
  logic              in_table, word_legal, write_entry;
  ref_t              ord_w_q, ord_y_q;
  assign reg_ref = {2'b00, reg_addr_i[8:1]};
  assign table_ref = (phase_q == 2'd1) ? ord_w_q : (phase_q == 2'd2) ? ord_y_q :
      reg_valid_i ? reg_ref : upd_valid_i ? upd_ref : ord_x_i;
  assign in_table = reg_addr_i[11:9] == '0 && !no_layer(reg_ref.layer);
  assign write_entry = phase_q == 2'd3 && !query_q && good;
  laps_table #(
    .Layers(Layers)
  ) u_table (
    .clk_i,
    .rst_ni,
    .ref_i        (table_ref),
    .entry_o      (entry),
    .word_write_i (reg_take && reg_write_i && in_table && word_legal),
    .word_i       (reg_addr_i[0]),
    .wdata_i      (reg_wdata_i),
    .rdata_o      (word),
    .legal_o      (word_legal),
    .write_i      (write_entry),
    .write_ref_i  (ref_q),
    .write_entry_i(entry_d)
  );

  // ---- registers ----------------
  logic        reg_exists, reg_legal, seed_valid;
  logic [1:0]  most, reg_code;
  logic [31:0] reg_data;
  band_t       band;
  rules_t      rules;
  limits_t     limits;
  tolerance_t  tolerance;
  logic [laps_pkg::EventW-1:0] events;
  laps_regs u_regs (
    .clk_i,
    .rst_ni,
    .write_i     (reg_take && reg_write_i && reg_legal),
    .addr_i      (reg_addr_i),
    .wdata_i     (reg_wdata_i),
    .rdata_o     (reg_data),
    .exists_o    (reg_exists),
    .legal_o     (reg_legal),
    .step_i,
    .class_i     (upd_class_i),
    .band_o      (band),
    .rules_o     (rules),
    .limits_o    (limits),
    .tolerance_o (tolerance),
    .seed_valid_o(seed_valid),
    .most_o      (most),
    .update_i    (write_entry),
    .events_i    (events),
    .refused_i   (phase_q == 2'd3 && !query_q && !good)
  );
  assign reg_code = !(in_table || reg_exists) ? laps_pkg::RegAddress :
      (reg_write_i && !(in_table ? word_legal : reg_legal)) ? laps_pkg::RegValue : laps_pkg::RegOk;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      reg_rsp_valid_o <= 1'b0;
      reg_rsp_code_o  <= '0;
      reg_rsp_data_o  <= '0;
    end else begin
      reg_rsp_valid_o <= reg_take;
      if (reg_take) begin
        reg_rsp_code_o <= reg_code;
        reg_rsp_data_o <= reg_write_i ? '0 : in_table ? word : reg_data;
      end
    end
  end

  // ---- updates ----------------
  logic [laps_pkg::SignalW-1:0] upd_mean;
  logic [laps_pkg::TolW-1:0]    upd_tol;
  logic                         upd_over;
  always_ff @(posedge clk_i) if (upd_take) ref_q <= upd_ref;
  laps_update u_update (
    .clk_i,
    .rst_ni,
    .take_i      (upd_take),
    .phase_i     (phase_q),
    .good_i      (phase_q == 2'd1 && !query_q && good),
    .stat_i      (stat),
    .entry_i     (entry),
    .band_i      (band),
    .rules_i     (rules),
    .limits_i    (limits),
    .tolerance_i (tolerance),
    .seed_valid_i(seed_valid),
    .seed_i      (reg_wdata_i),
    .entry_o     (entry_d),
    .events_o    (events),
    .mean_o      (upd_mean),
    .tolerance_o (upd_tol),
    .over_o      (upd_over)
  );

  // ---- queries: x read at A, w at A + 1, y at A + 2, answer made at A + 3 ----------------
  logic [7:0]  fl_x_q, fl_w_q, fl_y_q;
  logic [2:0]  n_x_q, n_w_q, n_y_q;
  logic [15:0] k_q;
  logic [9:0]  shift;
  logic [1:0]  order;
  always_ff @(posedge clk_i) begin
    if (ord_take) begin
      ord_w_q <= ord_w_i;
      ord_y_q <= ord_y_i;
      k_q     <= ord_k_i;
      {n_x_q, fl_x_q} <= {entry.n, entry.fl};
    end
    if (phase_q == 2'd1) {n_w_q, fl_w_q} <= {entry.n, entry.fl};
    if (phase_q == 2'd2) {n_y_q, fl_y_q} <= {entry.n, entry.fl};
  end
  laps_order u_order (
    .fl_x_i (fl_x_q),
    .fl_w_i (fl_w_q),
    .fl_y_i (fl_y_q),
    .n_x_i  (n_x_q),
    .n_w_i  (n_w_q),
    .k_i    (k_q),
    .most_i (most),
    .shift_o(shift),
    .order_o(order)
  );

  // ---- answers ----------------
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      upd_rsp_valid_o  <= 1'b0;
      upd_rsp_code_o   <= '0;
      upd_rsp_fl_o     <= '0;
      upd_rsp_n_o      <= '0;
      upd_rsp_events_o <= '0;
      ord_rsp_valid_o  <= 1'b0;
      ord_rsp_code_o   <= '0;
      ord_rsp_order_o  <= '0;
      ord_rsp_shift_o  <= '0;
      ord_rsp_n_o      <= '0;
      ord_rsp_fl_o     <= '0;
      obs_valid_o      <= 1'b0;
      obs_entry_o      <= '0;
      obs_mean_o       <= '0;
      obs_tolerance_o  <= '0;
      obs_over_o       <= 1'b0;
    end else begin
      upd_rsp_valid_o <= phase_q == 2'd3 && !query_q;
      ord_rsp_valid_o <= phase_q == 2'd3 && query_q;
      obs_valid_o     <= write_entry;
      if (phase_q == 2'd3 && !query_q) begin
        upd_rsp_code_o   <= code_q;
        upd_rsp_fl_o     <= good ? entry_d.fl : '0;
        upd_rsp_n_o      <= good ? entry_d.n : '0;
        upd_rsp_events_o <= good ? events : '0;
      end
      if (write_entry) begin
        obs_entry_o     <= entry_d;
        obs_mean_o      <= upd_mean;
        obs_tolerance_o <= upd_tol;
        obs_over_o      <= upd_over;
      end
      if (phase_q == 2'd3 && query_q) begin
        ord_rsp_code_o  <= code_q;
        ord_rsp_order_o <= good ? order : '0;
        ord_rsp_shift_o <= good ? shift : '0;
        ord_rsp_n_o     <= good ? {n_y_q, n_w_q, n_x_q} : '0;
        ord_rsp_fl_o    <= good ? {fl_y_q, fl_w_q, fl_x_q} : '0;
      end
    end
  end

  // Registers and table are written at different times only.
  `TS_ASSERT(OneWriter, !(reg_take && !idle))
  `TS_ASSERT(SlicesLegal, !write_entry || (entry_d.n >= 3'd1 && entry_d.n <= 3'd4))
endmodule
