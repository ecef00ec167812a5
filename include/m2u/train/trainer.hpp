// SPDX-License-Identifier: Apache-2.0
/// @file
/// The training loop: batches in, updates out, callbacks around.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <Kokkos_Profiling_ScopedRegion.hpp>

#include "m2u/train/batch_source.hpp"
#include "m2u/train/diagnose.hpp"
#include "m2u/train/info.hpp"
#include "m2u/train/loss_sums.hpp"
#include "m2u/train/optimiser.hpp"
#include "m2u/train/schedule.hpp"
#include "m2u/transfer/losses.hpp"

namespace m2u {

struct FitOptions {
  int epochs = 1;  ///< in total, those before a resume included
  TrainSchedule schedule = Constant{};
  double clip_norm = 0.0;          ///< the largest norm of all gradients; 0 for no limit
  Seed seed{};                     ///< of dropout; the order of the samples is the source's
  bool resume = false;             ///< go on from the callbacks' checkpoint, if there is one
  std::string configuration = {};  ///< anything that must be the same for a resume
  int check_every = 0;             ///< steps between looks at the loss; 0: 1 on hosts, 32 elsewhere
};

/// Trains a model. The parameters and the optimiser are shared with the caller; the model and the
/// callbacks are copied (std::ref keeps a callback the caller's). See info.hpp for what a callback
/// is.
template <class Model, ExecutionSpace S, class O, class... Callbacks>
class Trainer {
  static_assert(TrainableModel<Model, S>,
                "m2u::Trainer: the model needs losses(Tape<S>&, MultiBatch<S> const&) const that "
                "returns Losses<S>, with S the space of the parameters");
  static_assert(Optimiser<O, S>,
                "m2u::Trainer: the third argument must be an optimiser on the space of the "
                "parameters, such as Adam<S>");

 public:
  Trainer(Model const& model, Parameters<S> const& theta, O& optimiser, Callbacks... callbacks)
      : model_(model), theta_(theta), optimiser_(&optimiser), callbacks_(std::move(callbacks)...) {}

  /// Trains on the space's default instance.
  template <class Source>
  FitResult fit(Source&& source, FitOptions const& options = {}) {
    return fit(S{}, std::forward<Source>(source), options);
  }

  /// Trains on `space`.
  /// @throws Error if an option is wrong, a checkpoint does not fit, or a loss or gradient is not
  /// finite; the last names epoch, batch, samples and the op where it began.
  template <class Source>
  FitResult fit(S const& space, Source&& source, FitOptions const& options = {}) {
    static_assert(BatchSource<std::remove_cvref_t<Source>, S>,
                  "m2u::Trainer: fit needs a source of batches on the space of the parameters; see "
                  "train/batch_source.hpp");
    expects(options.epochs >= 0 && options.check_every >= 0,
            "Trainer: epochs and check_every must not be negative");
    expects(source.batches_per_epoch() > 0, "Trainer: the source has no batches");
    Run run(space, *this, options, source.batches_per_epoch(), source.samples_per_epoch());
    try {
      train(run, source);
    } catch (...) {
      finish(run, false);
      throw;
    }
    return finish(run, true);
  }

 private:
  using Clock = std::chrono::steady_clock;
  static double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
  }

  // What one call of fit carries along.
  struct Run {
    Run(S const& space, Trainer& trainer, FitOptions const& fit_options, int batches_per_epoch,
        int samples_per_epoch)
        : options(fit_options),
          batches(batches_per_epoch),
          samples(samples_per_epoch),
          state{space,
                trainer.theta_,
                &trainer.optimiser_->state(),
                0,
                0,
                fit_options.epochs,
                {{"seed", std::to_string(fit_options.seed.value)},
                 {"batches per epoch", std::to_string(batches_per_epoch)},
                 {"samples per epoch", std::to_string(samples_per_epoch)},
                 {"configuration", fit_options.configuration}}},
          tape(space, trainer.theta_, Mode::training, fit_options.seed),
          sums(space) {}
    FitOptions const& options;
    int batches;
    int samples;
    TrainingState<S> state;
    Tape<S> tape;
    LossSums<S> sums;
    FitResult result;
    Clock::time_point start = Clock::now();
  };

  // Calls f(callback) for each, in their order.
  template <class F>
  void each(F const& f) {
    std::apply(
        [&](auto&... callbacks) {
          (f(static_cast<std::unwrap_reference_t<std::remove_reference_t<decltype(callbacks)>>&>(
               callbacks)),
           ...);
        },
        callbacks_);
  }

  template <class Source>
  void train(Run& run, Source& source) {
    auto const& options = run.options;
    optimiser_->guard().reset(run.state.space);
    bool const resumed = begin(run);
    std::size_t parameters = 0;
    for (auto const& entry : theta_.layout().parameters()) {
      parameters += entry.slice.size();
    }
    StartInfo const start{options.epochs, run.state.epoch + 1, run.batches,
                          run.samples,    parameters,          resumed};
    each([&](auto& callback) {
      if constexpr (requires { callback.on_start(start); }) {
        callback.on_start(start);
      }
    });
    bool stop = false;
    while (run.state.epoch < options.epochs && !stop) {
      auto info = train_epoch(run, source);
      each([&](auto& callback) {
        if constexpr (requires { callback.on_epoch(info); }) {
          callback.on_epoch(info);
        }
      });
      ++run.state.epoch;
      stop = info.stop;
      bool const last = stop || run.state.epoch == options.epochs;
      each([&](auto& callback) {
        if constexpr (requires { callback.save(run.state, last); }) {
          callback.save(run.state, last);
        }
      });
      run.result.history.push_back(std::move(info));
    }
  }

  bool begin(Run& run) {
    bool resumed = false;
    bool keeper = false;
    each([&](auto& callback) {
      if constexpr (requires { callback.begin(run.state, true); }) {
        keeper = true;
        resumed = callback.begin(run.state, run.options.resume) || resumed;
      }
    });
    expects(keeper || !run.options.resume,
            "Trainer: resume needs a callback that keeps the state, such as Checkpoints");
    return resumed;
  }

  template <class Source>
  EpochInfo train_epoch(Run& run, Source& source) {
    auto const& space = run.state.space;
    auto const& options = run.options;
    int const every = options.check_every > 0 ? options.check_every : (on_host<S> ? 1 : 32);
    auto const start = Clock::now();
    auto const first_step = run.state.step;
    BatchInfo info{.epoch = run.state.epoch + 1, .epochs = options.epochs, .batches = run.batches};
    run.sums.reset(space);
    source.start_epoch(run.state.epoch);
    while (auto const batch = source.next(space)) {
      info.learning_rate_factor = options.schedule(
          run.state.epoch + static_cast<double>(info.batch) / static_cast<double>(run.batches));
      step(run, *batch, info.learning_rate_factor);
      info.step = ++run.state.step;
      info.samples += batch->size();
      if (++info.batch % every == 0) {
        check(run, source, first_step);
        info.loss = run.sums.mean(space);
      }
      info.seconds = seconds_since(start);
      each([&](auto& callback) {
        if constexpr (requires { callback.on_batch(std::as_const(info)); }) {
          callback.on_batch(std::as_const(info));
        }
      });
    }
    double const norm = check(run, source, first_step);  // before anything is saved
    return summarise(run, info, norm, seconds_since(start));
  }

  EpochInfo summarise(Run const& run, BatchInfo const& last, double norm, double seconds) const {
    auto const& space = run.state.space;
    EpochInfo info{.epoch = last.epoch, .epochs = last.epochs, .step = run.state.step};
    info.loss = run.sums.mean(space);
    info.terms = run.sums.terms(space);
    info.batches = run.sums.batches();
    info.skipped_batches = run.sums.skipped();
    info.samples = last.samples;
    info.seconds = seconds;
    info.samples_per_second = static_cast<double>(last.samples) / seconds;
    info.learning_rate_factor = last.learning_rate_factor;
    info.gradient_norm = norm;
    return info;
  }

  // One batch: forward, backward, update. Does not wait for the space.
  void step(Run& run, MultiBatch<S> const& batch, double factor) {
    auto const& space = run.state.space;
    Kokkos::Profiling::ScopedRegion const region("m2u::train::step");
    run.tape.reset(run.state.step);  // the number that random draws depend on
    theta_.zero_gradients(space);
    auto const losses = model_.losses(run.tape, batch);
    run.sums.add(space, losses);
    if (!losses.total.differentiable()) {
      return;  // every term was skipped
    }
    run.tape.backward(losses.total);
    GradientInfo<S> const info{space, theta_, run.state.step};
    each([&](auto& callback) {
      if constexpr (requires { callback.on_gradients(info); }) {
        callback.on_gradients(info);
      }
    });
    optimiser_->step(space, factor,
                     StepOptions{.clip_norm = run.options.clip_norm,
                                 .loss = losses.total.value.data(),
                                 .number = static_cast<long long>(run.state.step)});
  }

  // Throws if a step of this epoch had a loss or gradient that is not finite. Returns the last
  // norm.
  template <class Source>
  double check(Run& run, Source& source, std::uint64_t first_step) {
    auto const guard = optimiser_->guard().read(run.state.space);
    if (guard.stopped_at < 0) {
      return guard.norm;
    }
    auto const step = static_cast<std::uint64_t>(guard.stopped_at);
    auto const index = static_cast<int>(step - first_step);
    source.start_epoch(run.state.epoch, index);
    auto const batch = source.next(run.state.space);
    std::string kept = "There is no checkpoint.";
    each([&](auto& callback) {
      if constexpr (requires { callback.last_good(); }) {
        kept = callback.last_good();
      }
    });
    fail("training stopped: the loss or gradient of epoch ", run.state.epoch + 1, ", batch ",
         index + 1, " is not finite. ",
         batch ? detail::diagnose(run.tape, model_, *batch, step) : std::string("It is gone."),
         " The parameters were not changed by it or since. ", kept, " Samples of the batch: ",
         batch ? detail::list_ids(batch->ids()) : std::string("unknown"));
  }

  FitResult finish(Run& run, bool completed) {
    run.state.space.fence("m2u::train::fit");
    run.result.epochs = run.state.epoch;
    run.result.steps = run.state.step;
    run.result.seconds = seconds_since(run.start);
    EndInfo const info{run.result.epochs, run.result.steps, run.result.seconds, completed};
    each([&](auto& callback) {
      if constexpr (requires { callback.on_end(info); }) {
        callback.on_end(info);
      }
    });
    return std::move(run.result);
  }

  Model model_;
  Parameters<S> theta_;
  O* optimiser_;
  std::tuple<Callbacks...> callbacks_;
};

}  // namespace m2u
