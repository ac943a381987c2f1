console.log('red \u001b[31m');
throw new RangeError('while it is loaded');
