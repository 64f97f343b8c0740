`include "ts_assert.svh"

// Tile banks of the IOSS core: opening, configuration, and the count of jobs that a tile still owes (docs/ioss/README.md, Work; docs/ioss/reference.md, Descriptors).
//
// Bank states: free -> loading (from the opening) -> ready (tile ended) -> free (all its jobs ended). Banks load and serve in turn.
module ioss_banks
  import trainslice_pkg::operands_t, ioss_pkg::tile_t;
#(
  parameter int Rows = 8
) (
  input  logic        clk_i,
  input  logic        rst_ni,

  // Pending descriptor
  input  logic        pend_valid_i,
  input  operands_t   pend_i,
  output logic        open_o,        // the pending descriptor becomes the write bank's tile
  output logic        restart_o,     // with open_o: the reduce factor changes, rows start from RAN bank 0
  input  logic        drained_i,     // no slot, row pipeline or bypass register is occupied

  // Tile loader
  output logic        load_active_o, // the write bank is loading
  output logic        load_first_o,  // no beat of this tile was taken yet
  output logic        load_bank_o,
  output tile_t       load_o,
  input  logic        load_step_i,
  input  logic        load_end_i,
  input  logic        load_bad_i,    // with load_end_i: refused for its framing

  // Dispatch
  output logic        job_ready_o,   // the bank that the next job belongs to is ready
  output logic        job_bad_o,     // its tile was refused
  output logic        job_bank_o,
  output logic        next_bank_o,   // job_bank_o in the next cycle
  output tile_t       job_o,
  input  logic        job_end_i,     // a job is complete: in rows, bypassed or refused
  input  logic        job_commit_i,  // with job_end_i: it went into rows

  // Rows
  input  logic [Rows-1:0] row_end_i,       // this row issued a job's last product
  input  logic [Rows-1:0] row_end_bank_i,  // tile bank of that job

  output logic        active_o       // a bank is not free
);
  localparam int FlightW = $clog2(2 * Rows + 1);
  localparam int RowsW = $clog2(Rows + 1);

  logic [1:0] busy_q, ready_q, bad_q;
  logic       wb_q, jb_q;
  logic       loading_q, first_q;
  logic [3:0] rf_q;

  tile_t       tile_q [2];
  logic [15:0] jobs_left_q [2];
  logic [FlightW-1:0] flight_q [2];   // row jobs of the bank that have not ended

  logic        rf_change;
  logic [15:0] chunk;
  logic [RowsW-1:0] ends [2];
  logic [RowsW-1:0] starts;

  assign rf_change = pend_i.reduce_factor != rf_q;
  assign open_o    = pend_valid_i && !loading_q && !busy_q[wb_q] && (!rf_change || (drained_i && busy_q == 2'b00));
  assign restart_o = open_o && rf_change;

  always_comb begin
    case (pend_i.reduce_factor)
      4'd1:    chunk = pend_i.k_len;
      4'd2:    chunk = (pend_i.k_len + 16'd1) >> 1;
      4'd4:    chunk = (pend_i.k_len + 16'd3) >> 2;
      default: chunk = (pend_i.k_len + 16'd7) >> 3;
    endcase
  end

  // The reduce factor of every bank that is not free equals rf_q: a change waits until both are free.
  assign load_active_o = loading_q;
  assign load_first_o  = first_q;
  assign load_bank_o   = wb_q;
  assign job_ready_o   = ready_q[jb_q] && jobs_left_q[jb_q] != 16'd0;
  assign job_bad_o     = bad_q[jb_q];
  assign job_bank_o    = jb_q;
  assign next_bank_o   = jb_q ^ (job_end_i && jobs_left_q[jb_q] == 16'd1);
  assign active_o      = busy_q != 2'b00;
  always_comb begin
    load_o = tile_q[wb_q];
    load_o.desc.reduce_factor = rf_q;
    job_o = tile_q[jb_q];
    job_o.desc.reduce_factor = rf_q;
  end

  assign ends[0] = RowsW'($countones(row_end_i & ~row_end_bank_i));
  assign ends[1] = RowsW'($countones(row_end_i & row_end_bank_i));
  assign starts  = (job_end_i && job_commit_i) ? RowsW'(rf_q) : '0;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      busy_q       <= '0;
      ready_q      <= '0;
      bad_q        <= '0;
      wb_q         <= 1'b0;
      jb_q         <= 1'b0;
      loading_q    <= 1'b0;
      first_q      <= 1'b0;
      rf_q         <= 4'd1;
      for (int b = 0; b < 2; b++) begin
        tile_q[b]      <= '0;
        jobs_left_q[b] <= '0;
        flight_q[b]    <= '0;
      end
    end else begin
      for (int b = 0; b < 2; b++) begin
        flight_q[b] <= flight_q[b] - FlightW'(ends[b]) + ((1'(b) == jb_q) ? FlightW'(starts) : '0);
        if (ready_q[b] && jobs_left_q[b] == 16'd0 && flight_q[b] == '0) begin
          busy_q[b]  <= 1'b0;
          ready_q[b] <= 1'b0;
        end
      end
      if (job_end_i) begin
        jobs_left_q[jb_q] <= jobs_left_q[jb_q] - 16'd1;
      end
      jb_q <= next_bank_o;
      if (load_step_i) first_q <= 1'b0;
      if (load_end_i) begin
        ready_q[wb_q] <= 1'b1;
        bad_q[wb_q]   <= load_bad_i;
        wb_q          <= !wb_q;
        loading_q     <= 1'b0;
      end
      if (open_o) begin
        busy_q[wb_q]      <= 1'b1;
        loading_q         <= 1'b1;
        first_q           <= 1'b1;
        rf_q              <= pend_i.reduce_factor;
        tile_q[wb_q]      <= {pend_i, chunk};
        jobs_left_q[wb_q] <= pend_i.n_jobs;
      end
    end
  end

  `TS_ASSERT(JobOnlyWhenReady, !job_end_i || job_ready_o)
  `TS_ASSERT(Flight0Enough, flight_q[0] >= FlightW'(ends[0]))
  `TS_ASSERT(Flight1Enough, flight_q[1] >= FlightW'(ends[1]))
endmodule
